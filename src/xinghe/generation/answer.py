"""The passes of one answer. Today: one pass, its length bounded, its text through the gate."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import structlog

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
from xinghe.generation.gate import Gate

log = structlog.get_logger(__name__)


async def answer(
    dispatcher: Dispatcher, station: Station, job: GenerationJob, gate: Gate, meter: Meter
) -> AsyncGenerator[Batch]:
    """Yield batches of `TextDelta`s and, last, one `FinishDelta`; `meter` counts along.

    Raises what `Dispatcher.run` raises. Closing the generator cancels the work.
    """
    async with aclosing(dispatcher.run(station, job)) as batches:
        async for batch in batches:
            shown: list[Delta] = []
            rest, ended = _joined(batch.deltas, job, meter, gate, shown)
            for delta in rest:
                if ended := _take(delta, job, meter, gate, shown):
                    break
            meter.finished = ended
            if shown:
                yield Batch(batch.arrived, shown)
            if meter.finished:
                return
    log.error("engine_failed", deployment=station.name, error="it gave no finish reason")
    raise DispatchFailed(station.name)


def _joined(
    deltas: list[Delta], job: GenerationJob, meter: Meter, gate: Gate, shown: list[Delta]
) -> tuple[list[Delta], bool]:
    """Take a read's leading texts in one go, where no stop string or length can end among them.

    Returns what is left to take, and whether moderation has ended the answer. An upstream may
    send a hundred tokens in one read, and the gate costs the same for all of them.
    """
    texts: list[TextDelta] = []
    for delta in deltas:
        if type(delta) is not TextDelta:
            break
        texts.append(delta)
    tokens = sum(delta.tokens for delta in texts)
    if len(texts) < 2 or gate.cuts or meter.completion_tokens + tokens > job.max_tokens:
        return deltas, False
    held = gate.held
    visible, finish = gate.feed("".join(delta.text for delta in texts))
    meter.completion_tokens += tokens
    shown.extend(_divided(visible, held, texts))
    if finish is not None:
        shown.append(finish)
        return [], True
    return deltas[len(texts) :], False


def _divided(visible: str, held: int, texts: list[TextDelta]) -> list[TextDelta]:
    """What may be shown, cut where the engine cut it; the first piece brings what was held."""
    pieces: list[TextDelta] = []
    at = 0
    for delta in texts:
        end = at + len(delta.text) + (held if not at else 0)
        if visible[at:end]:
            pieces.append(TextDelta(visible[at:end], delta.tokens))
        at = end
    return pieces


def _take(delta: Delta, job: GenerationJob, meter: Meter, gate: Gate, shown: list[Delta]) -> bool:
    """Count one delta and append what may be shown; true when the answer has ended."""
    finish: FinishDelta | None = None
    match delta:
        case PrefillDelta():
            meter.started = True
            meter.prompt_tokens = job.prompt.tokens
        case TextDelta(text, tokens):
            meter.completion_tokens += tokens
            if meter.completion_tokens > job.max_tokens:
                # The engine was told, but an upstream may not listen.
                meter.completion_tokens = job.max_tokens
                visible, finish = gate.end(FinishReason.LENGTH)
            else:
                visible, finish = gate.feed(text)
            if visible:
                shown.append(delta if visible is text else TextDelta(visible, tokens))
        case UsageDelta(prompt_tokens, completion_tokens, cached_tokens):
            meter.prompt_tokens = prompt_tokens
            meter.completion_tokens = completion_tokens
            meter.cached_tokens = cached_tokens
        case FinishDelta(reason):
            visible, finish = gate.end(reason)
            if visible:
                shown.append(TextDelta(visible, 0))
    if finish is not None:
        shown.append(finish)
    return finish is not None
