"""The replicas of one deployment: who is tried, in which order, and who is left alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from weakref import WeakSet, ref

from xinghe.outbound.client import Server
from xinghe.outbound.faults import Broken, CallFailed
from xinghe.outbound.replicas.affinity import Affinity, Head, PrefixAffinity
from xinghe.outbound.replicas.attempt import Attempt
from xinghe.outbound.replicas.choice import Choice, LeastOutstanding
from xinghe.outbound.replicas.keys import MINUTE, Key
from xinghe.outbound.replicas.probes import Probes
from xinghe.outbound.replicas.replica import Replica
from xinghe.outbound.replicas.rounds import SOONEST, Away, Round, UsedUp
from xinghe.outbound.replicas.slowness import slow_ones
from xinghe.outbound.replicas.specs import Deployment, KeyUses, replicas_of
from xinghe.outbound.replicas.states import KeyRefused, ServerState

_COUNT = count()
POOLS = WeakSet["Pool"]()
"""All that are at work: their state is read when metrics are."""
COMPARED_EVERY = 0.02
"""Seconds between two looks at who is slow."""


class Pool:
    """Servers that do the same work, with `slots` requests at most for each.

    A policy of each kind decides: which replica is preferred for a prompt (`affinity`), who else
    gets it (`choice`). `name` is what the operator calls the deployment; `before` is what served it
    until it was changed, and may still be at work: servers and keys that are the same stay known.
    """

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        before: Pool | None = None,
        *,
        choice: Choice | None = None,
        affinity: Affinity | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.clock = clock
        self._slots = deployment.slots
        self.connect_timeout = deployment.connect_timeout
        """Seconds for which whoever asks whether anybody answers waits."""
        self._choice = choice or LeastOutstanding()
        self._affinity = affinity or PrefixAffinity(
            deployment.slots // 4, before.affinity if before else None
        )
        known = {one.url: one for one in before.replicas} if before else {}
        self._uses = before.key_uses() if before else {}
        self.replicas: list[Replica] = replicas_of(name, deployment, known, self._uses)
        self._heir: ref[Pool] | None = None
        if before is not None:
            before._heir = ref(self)
        self.several = len(self.replicas) > 1
        self._compared_at = 0.0
        self._resize: Callable[[int], object] | None = None
        self._probes = Probes(self)
        self.made = next(_COUNT)
        POOLS.add(self)

    @property
    def capacity(self) -> int:
        """How many requests may be at work at once: the slots of all replicas that take any."""
        taking = [one for one in self.replicas if one.weight]
        there = [one for one in taking if one.breaker.state == "closed"] or taking
        slots = max(1, self._slots * len(there))
        rings = {id(one.keys): one.keys for one in there}.values()
        places = [key.spec.concurrent for ring in rings for key in ring.keys]
        return min(slots, sum(places)) if places and all(places) else slots

    @property
    def affinity(self) -> PrefixAffinity | None:
        """What remembers where conversations went."""
        return self._affinity if isinstance(self._affinity, PrefixAffinity) else None

    @property
    def has_heir(self) -> bool:
        """Whether a changed deployment goes on with what is known here."""
        return self._heir is not None and self._heir() is not None

    def key_uses(self) -> KeyUses:
        """What was sent with each key, also with those that were taken out a moment ago."""
        now = self.clock()
        return {
            key: used
            for key, used in self._uses.items()
            if used.outstanding or now - used.at < MINUTE or now < used.until
        }

    @property
    def counts_tokens(self) -> bool:
        """Whether it matters how many tokens a request is about."""
        return any(key.spec.tpm for one in self.replicas for key in one.keys.keys)

    def on_resize(self, resize: Callable[[int], object]) -> None:
        """Have it called with the capacity whenever that may have changed."""
        self._resize = resize

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
        return Round(self, head, tokens, pauses)

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
        """Whether any replica that takes work answers."""
        return await self._probes.any_answers()

    async def aclose(self) -> None:
        """End the probes and drop the connections."""
        POOLS.discard(self)
        await self._probes.aclose()
        for one in self.replicas:
            for server in one.servers.values():
                await server.aclose()

    def changed(self, replica: Replica, now: float, error: CallFailed | None = None) -> None:
        """Something is known of a replica that may change who is preferred."""
        if self.has_heir:
            return  # which watches, and tells
        if replica.tell(now, error) and self._resize is not None:
            self._resize(self.capacity)
        self._probes.start()

    def pick(
        self, now: float, head: Head | None, tokens: int, tried: set[Replica], keys: set[Key]
    ) -> tuple[Replica, Key] | None:
        """Whom to try next, and with which key; `None` for nobody."""
        left = [one for one in self.replicas if one.weight and one not in tried]
        left = [one for one in left if not one.cooldown.left(now)]
        ready = [one for one in left if one.breaker.may_try(now)]
        if not ready:
            ready = [one for one in left if one.breaker.may_try(now, last_hope=True)]
        usable = [(one, one.keys.choose(now, tokens, keys)) for one in ready]
        with_key = {one: key for one, key in usable if key is not None}
        if not with_key:
            return None
        replica = self._preferred(head, list(with_key), now)
        return replica, with_key[replica]

    def went(self, head: Head | None, replica: Replica, *, well: bool) -> None:
        """What begins so was answered there, or failed there."""
        if head is not None and self.several:
            self._affinity.went(head, replica, well=well)

    def _preferred(self, head: Head | None, among: list[Replica], now: float) -> Replica:
        if head is not None:
            among = list(self._affinity.fit(head, among))
        if len(among) == 1:
            return among[0]
        self._compare(now)
        # First who is to be looked at: another replica is there where the trial fails.
        for one in among:
            on_trial = one.breaker.state != "closed" and not one.breaker.trials
            if on_trial or one.is_due(now):
                return one
        for is_good in (
            lambda one: not one.cooldown.is_second_choice(now),
            lambda one: one.outstanding < self._slots,
            lambda one: not one.slow,
        ):
            among = [one for one in among if is_good(one)] or among
        if head is not None and (preferred := self._affinity.prefer(head, among)):
            return preferred
        return self._choice.choose(among)

    def _compare(self, now: float) -> None:
        """Who is slow, beside the others."""
        if now - self._compared_at < COMPARED_EVERY:
            return
        self._compared_at = now
        slow = slow_ones([one.words.typical(now) for one in self.replicas])
        for one, is_slow in zip(self.replicas, slow, strict=True):
            if one.slow != is_slow:
                one.slow = is_slow
                one.tell(now)

    def why_nobody(self, now: float, tokens: int) -> CallFailed:
        """What kept all replicas from being tried."""
        taking = [one for one in self.replicas if one.weight]
        if not taking:
            return Away("all its replicas are drained", SOONEST)
        if all(one.keys.is_missing for one in taking):
            return Broken("none of its keys has a value")
        there = [one for one in taking if one.breaker.may_try(now, last_hope=True)]
        if there:
            waits = (max(one.cooldown.left(now), one.keys.wait(now, tokens)) for one in there)
            return UsedUp(min(waits))
        return Away("its replicas are away", min(one.breaker.wait(now) for one in taking))
