"""How many requests of all gateways together are at work: places with an end, renewed in time."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from xinghe.limits.places import Place, Places
from xinghe.limits.quota import Key
from xinghe.limits.shared.limiter import key_of
from xinghe.limits.shared.server import EVENTS, Away, Call, Server
from xinghe.regular import Regular

LEASE_SECONDS = 15.0
"""After so long without being renewed a place is free again."""
BEAT_SECONDS = 3.0
FIRST_PAUSE = 0.01
LONGEST_PAUSE = 0.1
"""Seconds between two looks whether there is a place."""
_AT_ONCE = 500
"""Places that are renewed in one call."""


class SharedPlaces:
    """As `Places`, whose queues are those of this gateway: among those of several gateways it is
    chance who gets the next place.

    A request first has all its places here, and then takes those of all gateways together, all at
    once. While the server is away each gateway has its share of a limit.
    """

    def __init__(self, queue: int, wait: float, server: Server) -> None:
        self._server = server
        self._here = Places(queue, wait)
        self._wait = wait
        self._turns: dict[tuple[Key, ...], _Turn] = {}
        self._working: dict[str, Sequence[Place]] = {}
        """Who is at work, and in which places."""
        self._count = Counter[Key]()
        server.returned.append(self._beat)
        server.regular.append(Regular(self._beat, BEAT_SECONDS, "places_not_renewed"))

    def __len__(self) -> int:
        return len(self._here)

    def resize(self, queue: int, wait: float) -> None:
        """For those who come from now on."""
        self._wait = wait
        self._here.resize(queue, wait)

    def crowded(self) -> list[Place]:
        """The limits before which somebody waits here."""
        waiting = {place.key: place for turn in self._turns.values() for place in turn.waiting}
        return list({**{place.key: place for place in self._here.crowded()}, **waiting}.values())

    def change(self, ask: Place) -> None:
        """A limit was changed: let it hold for those who wait."""
        self._here.change(ask)
        for turn in self._turns.values():
            turn.change(ask)

    async def left(self, ask: Place) -> int:
        """Places that are free."""
        try:
            working: int = await self._server.ask("working", [key_of(ask)])
        except Away:
            return max(0, self._share(ask) - self._count[ask.key])
        return max(0, ask.limit - working)

    @asynccontextmanager
    async def hold(self, asks: Sequence[Place], member: int) -> AsyncIterator[None]:
        """As of `Places`."""
        until = asyncio.get_running_loop().time() + self._wait
        async with self._here.hold(asks, member):
            who = secrets.token_hex(8)
            try:
                await self._enter(asks, who, until)
                yield
            finally:
                self._leave(asks, who)

    async def _enter(self, asks: Sequence[Place], who: str, until: float) -> None:
        keys = tuple(ask.key for ask in asks)
        turn = self._turns.setdefault(keys, _Turn(asks))
        turn.asked += 1
        turn.change(*asks)
        try:
            async with asyncio.timeout_at(until):
                async with turn.lock:  # in order of arrival
                    pause = FIRST_PAUSE
                    while (full := await self._full(turn.places, who)) is not None:
                        turn.full = full
                        await asyncio.sleep(pause)
                        pause = min(2 * pause, LONGEST_PAUSE)
                    turn.full = None
                    self._working[who] = asks
                    self._count.update(keys)
        except TimeoutError:
            raise self._here.refusal(turn.full or asks[0]) from None
        finally:
            turn.asked -= 1
            if not turn.asked:
                del self._turns[keys]

    async def _full(self, asks: Sequence[Place], who: str) -> Place | None:
        """Take a place of each, or say of which limit none is free."""
        try:
            limits = [ask.limit for ask in asks]
            granted, _, *working = await self._server.ask(
                "take", [EVENTS, *map(key_of, asks)], 0, _LEASE, who, *limits
            )
        except Away:
            full = [ask for ask in asks if self._count[ask.key] >= self._share(ask)]
            return full[0] if full else None
        if granted:
            return None
        return next(ask for ask, count in zip(asks, working, strict=True) if count >= ask.limit)

    def _leave(self, asks: Sequence[Place], who: str) -> None:
        """Whether it is known to have its places or not."""
        if self._working.pop(who, None) is not None:
            self._count.subtract(ask.key for ask in asks)
            self._count += Counter()  # without those that are zero
        call = Call("free", [key_of(ask) for ask in asks], [who])
        self._server.later(lambda: call)

    def _beat(self) -> None:
        whole = list(self._working)
        for at in range(0, len(whole), _AT_ONCE):
            some = whole[at : at + _AT_ONCE]
            self._server.later(partial(self._renewed, some))

    def _renewed(self, some: Sequence[str]) -> Call | None:
        """Of those who are still at work when it is sent: who has left is not brought back."""
        lines: dict[str, list[str]] = {}
        for who in some:
            for ask in self._working.get(who, ()):
                lines.setdefault(key_of(ask), []).append(who)
        given: list[int | str] = [_LEASE]
        for found in lines.values():
            given += [len(found), *found]
        return Call("renew", list(lines), given) if lines else None

    def _share(self, ask: Place) -> int:
        return max(1, ask.limit // self._server.gateways)


_LEASE = round(LEASE_SECONDS * 1_000_000)


class _Turn:
    """Requests that want the same places, the first to come first."""

    def __init__(self, places: Sequence[Place]) -> None:
        self.places = list(places)
        self.lock = asyncio.Lock()
        self.asked = 0
        self.full: Place | None = None
        """The limit that the first of them waits for."""

    @property
    def waiting(self) -> list[Place]:
        return [] if self.full is None else self.places

    def change(self, *asks: Place) -> None:
        changed = {ask.key: ask for ask in asks}
        self.places = [changed.get(place.key, place) for place in self.places]
