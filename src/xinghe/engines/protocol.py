"""What every engine speaks. No engine knows HTTP's edge, money or the dialect."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol

import msgspec

from xinghe.core import (
    Delta,
    EngineRequest,
    Message,
    Prompt,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    Thinking,
    ToolCallDelta,
    ToolUse,
)
from xinghe.text_run import TextRun


class EngineError(Exception):
    """An engine did not do its work; the text is for the log, never for a client."""


class EngineUnavailable(EngineError):
    """It could not be reached, or refused before it began: another try may go through."""


class EngineAway(EngineError):
    """It could not be reached however often that was tried, or is known to be away.

    `retry_after` is when it may be tried, in seconds.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EngineBusy(EngineError):
    """It is full; `retry_after` is its own advice in seconds, if it gave any."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EngineFailed(EngineError):
    """It died or broke its protocol after it had begun."""


class EngineInterrupted(EngineFailed):
    """It broke off in the middle of its work, which others of its kind could do anew."""


class EngineRefused(EngineFailed):
    """It refuses its operator: a key, a right or a balance is wanting. That is logged already."""


class PromptTooLong(EngineFailed):
    """It counts more tokens of the prompt than it takes."""


class PromptUnsafe(EngineError):
    """A moderation of its own refuses the prompt."""


class Batch(msgspec.Struct, frozen=True):
    """The deltas of one read, and when the read returned (`time.perf_counter`)."""

    arrived: float
    deltas: list[Delta]


_TEXTS = TextDelta, TextRun, ReasoningDelta, RefusalDelta
MOST_TEXT = 1_500
"""Characters of one batch: what is to be done with them takes two to eight milliseconds."""


def portions(deltas: list[Delta]) -> Iterator[tuple[list[Delta], int]]:
    """The same with its characters, cut so that none has much more text than `MOST_TEXT`."""
    portion: list[Delta] = []
    size = 0
    if sum(len(delta.text) for delta in deltas if isinstance(delta, TextRun)) > MOST_TEXT:
        deltas = spread(deltas)
    for delta in deltas:
        if isinstance(delta, _TEXTS):
            size += len(delta.text)
        elif isinstance(delta, ToolCallDelta):
            size += len(delta.arguments)
        portion.append(delta)
        if size > MOST_TEXT:
            yield portion, size
            portion, size = [], 0
    if portion:
        yield portion, size


def spread(deltas: Sequence[Delta]) -> list[Delta]:
    """The same with a `TextDelta` in place of each fragment of a run."""
    out: list[Delta] = []
    for delta in deltas:
        if isinstance(delta, TextRun):
            out += map(TextDelta, delta.texts)
        else:
            out.append(delta)
    return out


NOTHING_SAID, NOT_TO_THINK = Thinking(), Thinking(on=False)
Steered = Literal["no", "switch", "fully"]


class Abilities(msgspec.Struct, frozen=True):
    """What an engine does by itself; what it does not, the platform does around it.

    `constraints`: what holds it while it generates: an llguidance grammar, a JSON Schema, or
    nothing. `tools`: it calls tools. `thinks`: it may give a chain of thought, as deltas of their
    own or between tags. `vision`: it reads pictures. `steered`: whether it can be told to think or
    not, and by a `switch` alone or how much, too. `logprobs`: it tells how likely its tokens were.
    `note`: what the platform tells its model before all that the client says; empty for nothing.
    """

    constraints: Literal["grammar", "schema", "none"]
    tools: bool
    thinks: bool
    vision: bool
    steered: Steered = "no"
    logprobs: bool = False
    note: str = ""


class AdmissionQueue(Protocol):
    """Lets requests work on an engine, so many at once; the others wait, accounts in turn."""

    @property
    def places(self) -> int:
        """How many requests may be at work at once."""

    @property
    def at_work(self) -> int:
        """How many are."""

    @property
    def waiting(self) -> int:
        """How many wait for their place."""

    @property
    def expected_wait(self) -> float:
        """Seconds until a newcomer would be let in, as far as the past tells; at least one."""

    @property
    def retry_after(self) -> float:
        """Seconds after which one that was refused may wait; at least one."""

    def has_room(self, tokens: int) -> bool:
        """Whether a request that reads and writes so many tokens at most would be let in now."""

    def hold(self, tokens: int, *, priority: bool) -> AbstractAsyncContextManager[None]:
        """Be at work within it. With `priority` it goes before all others, and is never refused.

        Raises `QueueFull`.
        """


class Engine(Protocol):
    """Text generation.

    `generate` yields batches until a `FinishDelta`; closing the generator cancels the work.
    """

    @property
    def admission(self) -> AdmissionQueue:
        """What a request waits in before `generate`."""

    @property
    def served_by(self) -> str:
        """What really answers, as `/models` and the header `x-served-by` tell it."""

    @property
    def abilities(self) -> Abilities: ...

    async def ready(self) -> bool:
        """Whether a request sent now would be answered."""

    async def prepare(
        self,
        messages: Sequence[Message],
        tools: ToolUse | None = None,
        opening: str = "",
        *,
        asked: Thinking = NOTHING_SAID,
    ) -> Prompt:
        """Render and count a conversation, tried again where that may help. Raises `EngineError`.

        `tools` only where the engine calls them by itself; the answer begins with `opening`
        only where the engine is held to grammars. `asked` is what is said of the chain of thought,
        for an engine whose prompt tells it.
        """

    async def tokens(
        self, asked: str | Sequence[Message], *, framed: bool = True
    ) -> list[int] | None:
        """The tokens of a text, or of a conversation without pictures; `None`: it tells none.

        `framed`: a text with those that stand around a prompt. Raises `EngineError`.
        """

    def generate(self, request: EngineRequest) -> AsyncGenerator[Batch]:
        """Run one pass, tried again as long as it has not begun. Raises `EngineError`."""

    async def aclose(self) -> None:
        """Drop the connections."""
