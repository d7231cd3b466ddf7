"""A deployment's servers as engines use them: tried, watched, and counted in the metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import get_args
from weakref import WeakSet

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from xinghe.outbound.faults import CallFailed
from xinghe.outbound.replicas.affinity import Head
from xinghe.outbound.replicas.attempts import Attempt, Attempts
from xinghe.outbound.replicas.group import Deployment, Group
from xinghe.outbound.replicas.probes import Probes
from xinghe.outbound.replicas.replica import KeyRefused, Replica, ServerState, State
from xinghe.outbound.server import Server

_COUNT = count()
POOLS = WeakSet["Pool"]()
"""All that are at work: their state is read when metrics are."""


class Pool(Group):
    """A `Group` whose replicas are probed, from the first request until it is closed."""

    def __init__(self, name: str, deployment: Deployment, before: Pool | None = None) -> None:
        super().__init__(name, deployment, before)
        self._probes = Probes(self)
        self.made = next(_COUNT)
        POOLS.add(self)

    def attempts(
        self, head: Head | None = None, tokens: int = 0, pauses: Sequence[float] = ()
    ) -> Iterator[Attempt]:
        """Tries, each of another replica or with another key, or of a server alone after each of
        the `pauses`; they end with the block's `return`:

            for attempt in pool.attempts():
                async with attempt:
                    return await attempt.ask(...)

        `head` is what the prompt begins with, `tokens` what the request is thought to cost. Raises
        `Away` and `UsedUp` where nobody can be tried. A failure leaves the block where nobody else
        is left who may not have it; as `Away` where it says that they cannot be reached.
        """
        self._probes.start()
        attempts = Attempts(self, head, tokens, pauses)
        while True:
            yield attempts.next()

    def holds(self, url: str) -> Server | None:
        """The server that a URL leads to, if it is one of these."""
        return next((one.server for one in self.replicas if one.server.holds(url)), None)

    @property
    def servers(self) -> list[ServerState]:
        """How each replica is."""
        now = self.clock()
        return [
            ServerState(
                one.name,
                one.state(now),
                len(one.servers),
                [
                    KeyRefused(key.number, server.refused_with)
                    for key, server in one.servers.items()
                    if server.refused_with is not None
                ],
            )
            for one in self.replicas
        ]

    async def ready(self) -> bool:
        """Whether any replica answers that takes work, and has a key for it."""
        return await self._probes.any_answers()

    async def aclose(self) -> None:
        """End the probes and drop the connections."""
        POOLS.discard(self)
        self.leave()
        await self._probes.aclose()
        for one in self.replicas:
            for server in one.servers.values():
                await server.aclose()

    def changed(self, replica: Replica, now: float, error: CallFailed | None = None) -> None:
        super().changed(replica, now, error)
        self._probes.start()


class _ReplicaStates(Collector):
    """The state of every replica at work, and how many requests it has.

    A changed deployment and its former self, which may still be at work, share them.
    """

    def collect(self) -> Iterator[GaugeMetricFamily]:
        labels = ["deployment", "replica"]
        states = GaugeMetricFamily(
            "xinghe_replica_state",
            "1 for the state of a replica",
            labels=[*labels, "state"],
        )
        outstanding = GaugeMetricFamily(
            "xinghe_replica_outstanding", "Requests at work on a replica", labels=labels
        )
        state, work = dict[tuple[str, str], str](), dict[tuple[str, str], int]()
        for pool in sorted(POOLS, key=lambda pool: pool.made):
            now = pool.clock()
            for one in pool.replicas:
                named = pool.name, one.name
                state[named] = one.state(now)
                work[named] = one.outstanding
        for named, current in state.items():
            for each in get_args(State):
                states.add_metric([*named, each], float(each == current))
            outstanding.add_metric(named, work[named])
        yield states
        yield outstanding


REGISTRY.register(_ReplicaStates())
