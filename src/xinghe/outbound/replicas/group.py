"""The replicas of one deployment: made of what the operator sets, and who of them is picked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from weakref import ref

import msgspec

from xinghe.outbound.faults import CallFailed, Refused, Whose
from xinghe.outbound.replicas.affinity import Affinity, Head, PrefixAffinity
from xinghe.outbound.replicas.breaker import CircuitBreaker
from xinghe.outbound.replicas.choice import Choice, LeastOutstanding
from xinghe.outbound.replicas.keys import MINUTE, InTurn, Key, KeySpec, Single, Used
from xinghe.outbound.replicas.replica import Replica
from xinghe.outbound.replicas.slowness import ANSWERS, SLOW_FOR, slow_ones
from xinghe.outbound.server import Server

COMPARED_EVERY = 0.02
"""Seconds between two looks at who is slow."""
ALONE_FOR = 1.0
"""Seconds for which a server that nobody can stand in for may fail before it counts as away: it
may be starting anew."""
SOONEST = 1.0
"""Seconds that a client is told to wait at least."""


class Away(CallFailed):
    """No replica could be tried, or is left to be; `retry_after` is in seconds."""

    whose = Whose.AWAY

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = max(SOONEST, retry_after)


class UsedUp(Refused):
    """All replicas are full, or all keys used up; `advice` is when the first is not, in seconds."""

    def __init__(self, advice: float) -> None:
        super().__init__(429, b"", max(SOONEST, advice))
        self.args = ("its replicas are full, or its keys used up",)


class ReplicaSpec(Protocol):
    """A server as the operator has set it."""

    @property
    def url(self) -> str: ...
    @property
    def weight(self) -> float: ...
    @property
    def key(self) -> str: ...
    @property
    def key_env(self) -> str: ...


class Deployment(Protocol):
    """What every deployment on servers has; the time limits are in seconds."""

    @property
    def replicas(self) -> Sequence[ReplicaSpec]: ...
    @property
    def key(self) -> str: ...
    @property
    def key_env(self) -> str: ...
    @property
    def keys(self) -> Sequence[KeySpec]: ...
    @property
    def slots(self) -> int: ...
    @property
    def connect_timeout(self) -> float: ...
    @property
    def silence_timeout(self) -> float: ...
    @property
    def headers(self) -> Mapping[str, str]: ...


class _OwnKey(msgspec.Struct, frozen=True):
    """That of a server alone, without limits."""

    key: str = ""
    key_env: str = ""
    rpm: int = 0
    tpm: int = 0
    concurrent: int = 0


KeyUses = dict[tuple[str, str], Used]
"""By key and variable, what was sent with each."""


class Group:
    """Servers that do the same work, with `slots` requests at most for each.

    A policy of each kind decides: which replica is preferred for a prompt (`affinity`), who else
    gets it (`choice`). `name` is what the operator calls the deployment; `before` is what served it
    until it was changed, and may still be at work: servers and keys that are the same stay known.
    """

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        before: Group | None = None,
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
        self.replicas: list[Replica] = _replicas_of(name, deployment, known, self._uses)
        self._heir: ref[Group] | None = None
        self._before: ref[Group] | None = None
        if before is not None:
            before._heir, self._before = ref(self), ref(before)
        self.several = len(self.replicas) > 1
        self._compared_at = 0.0
        self._resize: Callable[[int], object] | None = None

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

    def leave(self) -> None:
        """Be no heir any more: the former self goes on, where it serves again, or a later one."""
        if self._before is not None and (before := self._before()) is not None:
            before._heir = self._heir
            if not before.has_heir and before._resize is not None:
                before._resize(before.capacity)

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

    def changed(self, replica: Replica, now: float, error: CallFailed | None = None) -> None:
        """Something is known of a replica that may change who is preferred."""
        if self.has_heir:
            return  # which watches, and tells
        if replica.log_change(now, error) and self._resize is not None:
            self._resize(self.capacity)

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
            lambda one: not one.is_long_slow(now),
        ):
            among = [one for one in among if is_good(one)] or among
        if head is not None and (last := self._affinity.goes_on(head, among)):
            return last
        among = [one for one in among if not one.is_slow] or among
        preferred = self._affinity.prefer(head, among) if head is not None else None
        return preferred or self._choice.choose(among)

    def _compare(self, now: float) -> None:
        """Who is slow, beside the others."""
        if now - self._compared_at < COMPARED_EVERY:
            return
        self._compared_at = now
        slow = slow_ones([one.words.typical(now) for one in self.replicas])
        for one, usual in zip(self.replicas, slow, strict=True):
            one.slow_for = max(SLOW_FOR, ANSWERS * (usual or 0.0))
            if one.is_slow != (usual is not None):
                one.slow_since = now if usual is not None else None
                one.log_change(now)

    def why_nobody(self, now: float, tokens: int) -> CallFailed:
        """What kept all replicas from being tried."""
        taking = [one for one in self.replicas if one.weight]
        if not taking:
            return Away("all its replicas are drained", SOONEST)
        taking = [one for one in taking if not one.keys.is_missing]
        if not taking:
            return Away("none of its keys has a value", SOONEST)
        there = [one for one in taking if one.breaker.may_try(now, last_hope=True)]
        if there:
            waits = (max(one.cooldown.left(now), one.keys.wait(now, tokens)) for one in there)
            return UsedUp(min(waits))
        return Away("its replicas are away", min(one.breaker.wait(now) for one in taking))


def _replicas_of(
    name: str, deployment: Deployment, known: Mapping[str, Replica], uses: KeyUses
) -> list[Replica]:
    """`known` are those of before the deployment was changed, by URL; new keys join `uses`."""

    def key_of(spec: KeySpec, number: int) -> Key:
        return Key(spec, number, uses.setdefault((spec.key, spec.key_env), Used()))

    specs, several = deployment.replicas, len(deployment.replicas) > 1
    shared = (
        InTurn([key_of(spec, number) for number, spec in enumerate(deployment.keys, 1)])
        if deployment.keys
        else Single(key_of(_OwnKey(deployment.key, deployment.key_env), 1))
    )
    urls = {spec.url: spec.url.rstrip("/") for spec in specs}
    kept = {url: known[same] for url, same in urls.items() if same in known}
    made, labels = list[Replica](), {one.name for one in kept.values()}
    for spec in specs:
        own, before = spec.key or spec.key_env, kept.get(spec.url)
        keys = Single(key_of(_OwnKey(spec.key, spec.key_env), 1)) if own else shared
        servers = dict[Key, Server]()
        label = before.name if before else ""
        for key in keys.keys:
            server = Server(
                spec.url,
                name=name,
                connect=deployment.connect_timeout,
                silence=deployment.silence_timeout,
                key=key.spec.key,
                key_env=key.spec.key_env,
                headers=deployment.headers,
            )
            label = label or _label(server.origin, labels)
            parts = [name, label] if several else [name]
            parts += [f"key {key.number}"] if len(keys.keys) > 1 else []
            server.logged_as = ", ".join(parts)
            servers[key] = server
            for old, other in before.servers.items() if before else ():
                if old.used is key.used:
                    server.refused_with = other.refused_with
        labels.add(label)
        breaker = before.breaker if before else CircuitBreaker()
        breaker.grace = 0.0 if several else ALONE_FOR
        made.append(
            Replica(name, label, urls[spec.url], spec.weight, keys, servers, breaker, before)
        )
    return made


def _label(origin: str, taken: set[str]) -> str:
    """Its origin, and a number where several replicas share that: the rest may hold a key."""
    number, label = 1, origin
    while label in taken:
        number += 1
        label = f"{origin}#{number}"
    return label
