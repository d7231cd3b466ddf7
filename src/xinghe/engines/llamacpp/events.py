"""What the child says of an answer, as deltas."""

from __future__ import annotations

from typing import Any

import msgspec

from xinghe.core import (
    Delta,
    EngineRequest,
    FinishDelta,
    FinishReason,
    TextDelta,
    TokenLogprob,
    UsageDelta,
)
from xinghe.engines.llamacpp.slots import Slot
from xinghe.engines.logprobs import LEAST
from xinghe.engines.protocol import EngineFailed
from xinghe.outbound import UNREADABLE


class Timings(msgspec.Struct):
    """`cache_n`: prompt tokens that were not read again."""

    cache_n: int = 0


class Read(msgspec.Struct):
    """The answer of `/completion` where nothing was to be written."""

    timings: Timings


class _Probable(msgspec.Struct):
    """A token, and what might have stood in its place; none is less likely than `LEAST`."""

    token: str
    bytes: list[int]
    logprob: float | None = None
    top_logprobs: list[_Probable] = []

    def told(self, most: int) -> TokenLogprob:
        """With as many others as were asked for."""
        likely = self.logprob if self.logprob is not None else LEAST
        others = tuple(each.told(0) for each in self.top_logprobs[:most])
        return TokenLogprob(self.token, bytes(self.bytes), max(likely, LEAST), others)


class _Event(msgspec.Struct):
    """One event of `/completion`; `tokens_predicted` is a running total.

    `tokens` are the last of them: those that end no character are left out.
    """

    content: str = ""
    tokens: list[int] = []
    stop: bool = False
    stop_type: str = ""
    tokens_predicted: int = 0
    tokens_evaluated: int = 0
    timings: Timings | None = None
    error: Any = None
    completion_probabilities: list[_Probable] = []


_event = msgspec.json.Decoder(_Event).decode


def translate(
    data: bytes,
    counted: int,
    slot: Slot,
    cached: int | None,
    deltas: list[Delta],
    request: EngineRequest,
) -> int:
    """Append what an event says to `deltas`; returns the new running count of tokens."""
    try:
        event = _event(data)
    except UNREADABLE as error:
        raise EngineFailed(f"an event is unreadable ({type(error).__name__})") from None
    if event.error is not None:
        raise EngineFailed("the engine reported an error")
    written = event.tokens_predicted - counted
    if written or event.content:
        told = tuple(each.told(request.logprobs or 0) for each in event.completion_probabilities)
        deltas.append(TextDelta(event.content, written, told))
    if not counted:
        slot.read()
    slot.wrote(written, event.tokens[:written])
    if event.stop:
        if cached is None and event.timings:
            cached = event.timings.cache_n
        ours = request.prompt.ours
        deltas.append(
            UsageDelta(
                max(1, event.tokens_evaluated - ours),
                event.tokens_predicted,
                max(0, (cached or 0) - ours),
            )
        )
        limit = event.stop_type == "limit"
        deltas.append(FinishDelta(FinishReason.LENGTH if limit else FinishReason.NORMAL))
        slot.ended()
    return event.tokens_predicted
