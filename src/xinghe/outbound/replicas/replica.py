"""One server of a deployment, and what is known of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Literal, Protocol, runtime_checkable

import msgspec
import structlog

from xinghe.observe import live, metrics
from xinghe.outbound.faults import CallFailed, Refused, Unreachable, Whose
from xinghe.outbound.replicas.breaker import CircuitBreaker, Cooldown
from xinghe.outbound.replicas.keys import InTurn, Key, Single
from xinghe.outbound.replicas.slowness import LOOK_EVERY, SLOW_FOR, FirstWords
from xinghe.outbound.response import Response
from xinghe.outbound.server import Server

log = structlog.get_logger(__name__)

State = Literal["up", "trial", "away", "full", "slow", "drained"]
PROVEN = 3.0
"""Seconds for which a word of a request says more than a probe that is not answered."""
LEARNS_AFTER = 0.02
"""Seconds that a request waits before it is asked whether probes are answered meanwhile."""


class KeyRefused(msgspec.Struct, frozen=True):
    """A key, counted from 1, that its server last refused with a status: for want of a right or a
    balance, or because it is none.
    """

    key: int
    status: int


class ServerState(msgspec.Struct, frozen=True):
    """`server` is its origin, with a number where several have the same one.

    `keys` is how many keys are used there; 1 also where none is set.
    """

    server: str
    state: State
    keys: int
    refused: list[KeyRefused]

    @property
    def refuses(self) -> bool:
        """Whether it refuses all that may be sent to it."""
        return len(self.refused) == self.keys


@runtime_checkable
class OnServers(Protocol):
    """What serves by servers that the operator has named."""

    @property
    def servers(self) -> list[ServerState]: ...


class Replica:
    """A server with its weight, its keys, and what the policies know of it.

    `label` is what it is called in the log and in metrics; `servers` has it once for each key.
    `before` is the same server in a deployment that was changed: the two share what they know.
    """

    def __init__(
        self,
        deployment: str,
        label: str,
        url: str,
        weight: float,
        keys: InTurn | Single,
        servers: Mapping[Key, Server],
        breaker: CircuitBreaker,
        before: Replica | None = None,
    ) -> None:
        self.deployment, self.name, self.url = deployment, label, url
        self.weight = weight
        self.credit = 0.0
        self.at_work: dict[object, Response | None] = {}
        """Its requests, each with its answer once that has a head."""
        self.keys, self.servers = keys, servers
        self.breaker = breaker
        self.cooldown = Cooldown()
        self.words = FirstWords()
        self.slow_since: float | None = None
        """When it fell behind the others; `None`: it keeps up."""
        self.slow_for = SLOW_FOR
        """Seconds from then on for which conversations stay."""
        self.looked_at = 0.0
        """When a request was sent to it last, since it is slow."""
        self.answered_at = self.probed_at = 0.0
        self.answers: Literal["never", "idle", "always"] = "never"
        """When it has answered probes so far: `idle`, without a request of ours that it let wait;
        `always`, beside one too. Some do not while they work."""
        self.suspected = asyncio.Event()
        """Somebody wants a probe before its time."""
        self.requests = metrics.REPLICA_REQUESTS.labels(deployment, label)
        self.waits: set[asyncio.Timeout] = set()
        """Of those that would go to another replica if nobody were here any more."""
        self._logged: State = "up"
        if before is not None:
            self._go_on(before)

    @property
    def server(self) -> Server:
        return next(iter(self.servers.values()))

    @property
    def outstanding(self) -> int:
        return len(self.at_work)

    @property
    def heard_at(self) -> float:
        """When it has last shown that it is there."""
        reads = (answer.read_at for answer in self.at_work.values() if answer is not None)
        return max(self.answered_at, *reads, 0.0)

    def is_frozen(self, since: float) -> bool:
        """Whether neither a request nor a probe has had a word since then, of one that answers
        probes.
        """
        return self.answers != "never" and self.breaker.is_silent and self.heard_at <= since

    def _go_on(self, before: Replica) -> None:
        """Share with its former self what is known, and what is at work."""
        self.breaker, self.cooldown = before.breaker, before.cooldown
        self.words, self.at_work, self.waits = before.words, before.at_work, before.waits
        self.slow_since, self.slow_for = before.slow_since, before.slow_for
        self.looked_at = before.looked_at
        self._logged = before._logged
        self.answered_at, self.probed_at = before.answered_at, before.probed_at
        self.answers = before.answers

    def state(self, now: float) -> State:
        if not self.weight:
            return "drained"
        if self.breaker.state != "closed":
            return "away" if self.breaker.state == "open" else "trial"
        if self.cooldown.left(now):
            return "full"
        return "slow" if self.is_slow else "up"

    @property
    def is_slow(self) -> bool:
        """Whether it is slower than the others by far."""
        return self.slow_since is not None

    def is_long_slow(self, now: float) -> bool:
        """Whether it has been slow for long."""
        return self.slow_since is not None and now - self.slow_since >= self.slow_for

    def is_due(self, now: float) -> bool:
        """Whether it has been slow for long enough to be looked at again."""
        return self.is_slow and not self.outstanding and now - self.looked_at >= LOOK_EVERY

    def failed(self, ticket: int, now: float, error: CallFailed, *, alone: bool) -> None:
        """A request has failed, and it is the replica's fault, as far as can be told of one that
        is `alone`: what breaks off there may be the request's own.
        """
        nobody = nobody_listens(error)
        lost = nobody or (isinstance(error, Unreachable) and not alone)
        self.breaker.failed(ticket, now, lost=lost, certain=nobody and not alone)
        self.suspected.set()

    def count(self, error: CallFailed) -> None:
        """Count a request that it did not answer."""
        kind = kind_of(error)
        metrics.REPLICA_FAILURES.labels(self.deployment, self.name, kind).inc()
        live.WINDOW.fault(live.Fault(self.deployment, self.name, kind))

    async def probe(self, seconds: float) -> bool:
        """Whether somebody is there: it costs a server next to nothing to tell that."""
        try:
            async with asyncio.timeout(seconds):
                return await self.server.ready(seconds)
        except TimeoutError:
            return False

    def probed(self, alive: bool, now: float) -> None:
        """What `probe` has found; one that was given up before it had found anything counts not.

        What comes of a request tells more than that a probe is not answered.
        """
        self.probed_at = now
        if alive or now - self.heard_at >= PROVEN:
            sure = self.answers == "always" or (self.answers == "idle" and not self.at_work)
            self.breaker.probed(alive, now, sure=sure)
        elif self.breaker.cause == "silent":
            self.breaker.probed(True, now)

    def learn(self) -> None:
        """Have it probed if a request waits: does it answer beside that?"""
        if self.words.oldest() is not None:
            self.suspected.set()

    def give_up(self) -> None:
        """Have nobody wait any longer who could go to another replica."""
        for limit in self.waits:
            limit.reschedule(asyncio.get_running_loop().time())

    def log_change(self, now: float, error: CallFailed | None = None) -> bool:
        """Whether its state has changed; if so, and an operator would want to know, a line of the
        log says it.
        """
        state, before = self.state(now), self._logged
        self._logged = state
        if state == before:
            return False
        named = {"deployment": self.deployment, "replica": self.name}
        match state:
            case "away" if before != "trial":
                log.warning("replica_away", **named, error=str(error or "no answer to a probe"))
            case "up" if before in {"away", "trial"}:
                log.info("replica_back", **named)
            case "full" | "slow":
                log.info(f"replica_{state}", **named)
        return True


def nobody_listens(error: CallFailed) -> bool:
    """Whether no connection could be made at all."""
    return isinstance(error, Unreachable) and not error.connected


def kind_of(error: CallFailed) -> str:
    """What failed, in a word that metrics can count by."""
    if isinstance(error, Refused):
        return {Whose.FULL: "full", Whose.OPERATOR: "owed"}.get(error.whose, "status")
    return "unreachable" if isinstance(error, Unreachable) else type(error).__name__.lower()
