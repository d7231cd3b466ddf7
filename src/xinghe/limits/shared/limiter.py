"""RPM, TPM and QPS of all gateways together, by the script; alone, by a share of each limit."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from xinghe.limits.limiter import Admission, Limiter
from xinghe.limits.quota import Ask, Headers, Quota, Shared, per_minute, per_second
from xinghe.limits.shared.server import EVENTS, PREFIX, Away, Call, Server
from xinghe.limits.told import Look, headers, refusal

_PER = 1000
"""Nanoseconds of the server's microsecond: its units are as many of ours."""


class SharedLimiter:
    """As `Limiter`; while the server is away each gateway grants its share of a limit."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._alone = Limiter()

    async def left(self, ask: Ask) -> int:
        """What could be had of it now."""
        try:
            deficit = int(await self._server.ask("deficit", [key_of(ask)]))
        except Away:
            return await self._alone.left(self._share(ask))
        return ask.quota.left(deficit * _PER)

    async def take(self, asks: Sequence[Ask], tokens: int = 0) -> Admission | SharedAdmission:
        """Take one request and an estimate of `tokens`, of all limits or of none.

        Raises `RateLimited`.
        """
        if not asks:
            return self._alone.admit(asks, tokens)
        given: list[int | str] = [len(asks), 0, ""]
        for ask in asks:
            quota = ask.quota
            given += [
                quota.amount(tokens) * quota.unit // _PER,
                quota.refill,
                quota.capacity // _PER,
                int(quota.returnable),
            ]
        keys = [EVENTS, *map(key_of, asks)]
        try:
            granted, event, *deficits = await self._server.ask("take", keys, *given)
        except Away:
            return self._alone.admit([self._share(ask) for ask in asks], tokens)
        found = [int(each) * _PER for each in deficits]
        looks = [Look(*each) for each in zip(asks, found[::2], found[1::2], strict=True)]
        if not granted:
            raise refusal(looks)
        told = headers([(look.ask.quota, look.after) for look in looks])
        return SharedAdmission(told, self, asks, tokens, int(event))

    def settle(self, asks: Sequence[Ask], event: int, surpluses: Sequence[int]) -> None:
        """Make what was granted at an `event` less by each surplus; see `Limiter.settle`.

        What may not have come to the server is tried again where it is a debt, and dropped where
        it would give something back: too little given back is safe.
        """
        keys, given, debt = [EVENTS], list[int | str]([event]), False
        for ask, surplus in zip(asks, surpluses, strict=True):
            if surplus:
                keys.append(key_of(ask))
                given += [surplus * ask.quota.unit // _PER, ask.quota.refill]
                debt |= surplus < 0
        if len(keys) > 1:
            call = Call("settle", keys, given, keep=debt)
            self._server.later(lambda: call)

    def _share(self, ask: Ask) -> Ask:
        return msgspec.structs.replace(ask, quota=share(ask.quota, self._server.gateways))


class SharedAdmission(msgspec.Struct):
    """As `Admission`."""

    headers: Headers
    _limiter: SharedLimiter
    _asks: Sequence[Ask]
    _tokens: int
    _event: int
    _settled: bool = False

    def settle(self, used_tokens: int) -> None:
        """As of `Admission`; nobody waits for it."""
        if self._settled:
            return
        self._settled = True
        asks = [ask for ask in self._asks if ask.quota.returnable]
        surpluses = [ask.quota.amount(self._tokens) - max(0, used_tokens) for ask in asks]
        self._limiter.settle(asks, self._event, surpluses)


def share(quota: Quota, gateways: int) -> Quota:
    """What one of several gateways grants of a limit by itself; the least that a limit can be."""
    if quota.kind == "qps":
        return per_second(max(1, quota.refill // gateways) / _PER)
    return per_minute(quota.kind, max(1, quota.limit // gateways))


def key_of(shared: Shared) -> str:
    """Under which key the server keeps it."""
    kind, number, model = shared.key
    return f"{PREFIX}{kind}:{number}:{model}"
