"""What every engine speaks. No engine knows HTTP's edge, money or the dialect."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

import msgspec

from xinghe.core import Delta, GenerationJob, Message, Prompt


class EngineError(Exception):
    """An engine did not do its work; the text is for the log, never for a client."""


class EngineUnavailable(EngineError):
    """It could not be reached, or refused before it began: another try may go through."""


class EngineBusy(EngineError):
    """It is full; `retry_after` is its own advice in seconds, if it gave any."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EngineFailed(EngineError):
    """It died or broke its protocol after it had begun."""


class Batch(msgspec.Struct, frozen=True):
    """The deltas of one read, and when the read returned (`time.perf_counter`)."""

    arrived: float
    deltas: list[Delta]


class Engine(Protocol):
    """Text generation.

    `generate` yields batches until a `FinishDelta`; closing the generator cancels the work.
    """

    @property
    def served_by(self) -> str:
        """What really answers, as `/models` and the header `x-served-by` tell it."""
        ...

    async def ready(self) -> bool:
        """Whether a request sent now would be answered."""
        ...

    async def prepare(self, messages: Sequence[Message]) -> Prompt:
        """Render and count a conversation. Raises `EngineError`."""
        ...

    def generate(self, job: GenerationJob) -> AsyncGenerator[Batch]:
        """Run one pass. Raises `EngineError`."""
        ...

    async def aclose(self) -> None:
        """Drop the connections."""
        ...
