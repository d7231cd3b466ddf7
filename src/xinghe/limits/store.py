"""What keeps limits: the process itself, or a server that several gateways share."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from xinghe.limits.places import Place
from xinghe.limits.quota import Ask, Headers


class Taken(Protocol):
    """A request that was let in; see `Admission`."""

    headers: Headers

    def settle(self, used_tokens: int) -> None: ...


class Rates(Protocol):
    """RPM, TPM and QPS; see `Limiter`."""

    async def take(self, asks: Sequence[Ask], tokens: int = 0) -> Taken: ...
    async def left(self, ask: Ask) -> int: ...


class AtWork(Protocol):
    """Places of concurrent requests; see `Places`."""

    def hold(self, asks: Sequence[Place], member: int) -> AbstractAsyncContextManager[None]: ...
    def resize(self, queue: int, wait: float) -> None: ...
    def crowded(self) -> list[Place]: ...
    def change(self, ask: Place) -> None: ...
    async def left(self, ask: Place) -> int: ...
