"""A deployment at work and who holds it: one that serves no more is closed when the last ended."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Generic, Protocol, TypeVar

import msgspec


class AtWork(Protocol):
    """What a deployment of any kind can be asked to do."""

    async def ready(self) -> bool:
        """Whether a request sent now would be answered."""

    async def aclose(self) -> None: ...


T_co = TypeVar("T_co", bound=AtWork, covariant=True)


class Leased(Generic[T_co]):
    """`at_work` is what `spec` describes under `name`; whoever works with it holds it meanwhile.

    As a context manager it is held within.
    """

    def __init__(self, name: str, spec: msgspec.Struct, at_work: T_co) -> None:
        self.name = name
        self.spec = spec
        self.at_work = at_work
        self.held = 0
        """How many hold it."""
        self._over = False
        self._when_free: Callable[[], None] | None = None

    def take(self) -> None:
        self.held += 1

    def give_back(self) -> None:
        self.held -= 1
        self._look()

    def when_free(self, then: Callable[[], None] | None) -> None:
        """Have `then` close it once nobody holds it, which may be now; `None`: no more."""
        self._when_free = then
        self._look()

    async def ready(self) -> bool:
        """Whether it would answer, asked while it is held; one that was closed would not."""
        if self._over:
            return False
        with self as at_work:
            return await at_work.ready()

    def __enter__(self) -> T_co:
        self.take()
        return self.at_work

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.give_back()

    def _look(self) -> None:
        if not self.held and (then := self._when_free) is not None:
            self._when_free, self._over = None, True
            then()
