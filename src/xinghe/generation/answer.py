"""The passes of one answer. Today: one pass, its length bounded, its stop strings honoured."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from xinghe.core import (
    Delta,
    FinishDelta,
    FinishReason,
    GenerationJob,
    Meter,
    PrefillDelta,
    TextDelta,
    UsageDelta,
)
from xinghe.dispatch.dispatcher import Dispatcher, DispatchFailed, Station
from xinghe.engines.protocol import Batch
from xinghe.generation.stops import StopScanner


async def answer(
    dispatcher: Dispatcher,
    station: Station,
    job: GenerationJob,
    stops: Sequence[str],
    meter: Meter,
) -> AsyncGenerator[Batch]:
    """Yield batches of `TextDelta`s and, last, one `FinishDelta`; `meter` counts along.

    Raises what `Dispatcher.run` raises. Closing the generator cancels the work.
    """
    scanner = StopScanner(stops)
    async with aclosing(dispatcher.run(station, job)) as batches:
        async for batch in batches:
            shown: list[Delta] = []
            for delta in batch.deltas:
                if _take(delta, job, meter, scanner, shown):
                    meter.finished = True
                    break
            if shown:
                yield Batch(batch.arrived, shown)
            if meter.finished:
                return
    raise DispatchFailed("the engine ended without a finish reason")


def _take(
    delta: Delta, job: GenerationJob, meter: Meter, scanner: StopScanner, shown: list[Delta]
) -> bool:
    """Count one delta and append what may be shown; true when the answer has ended."""
    match delta:
        case PrefillDelta():
            meter.started = True
            meter.prompt_tokens = job.prompt.tokens
        case TextDelta(text, tokens):
            meter.completion_tokens += tokens
            if meter.completion_tokens > job.max_tokens:
                # The engine was told, but an upstream may not listen.
                meter.completion_tokens = job.max_tokens
                return _end(FinishReason.LENGTH, scanner, shown)
            visible, stopped = scanner.feed(text)
            if visible:
                shown.append(delta if visible is text else TextDelta(visible, tokens))
            if stopped:
                shown.append(FinishDelta(FinishReason.STOP))
                return True
        case UsageDelta(prompt_tokens, completion_tokens, cached_tokens):
            meter.prompt_tokens = prompt_tokens
            meter.completion_tokens = completion_tokens
            meter.cached_tokens = cached_tokens
        case FinishDelta(reason):
            return _end(reason, scanner, shown)
    return False


def _end(reason: FinishReason, scanner: StopScanner, shown: list[Delta]) -> bool:
    rest = scanner.flush()
    if rest:
        shown.append(TextDelta(rest, 0))
    shown.append(FinishDelta(reason))
    return True
