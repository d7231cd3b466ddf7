"""One pass of an engine, its deltas led through stages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import structlog

from xinghe.core import Delta, FinishDelta, GenerationJob
from xinghe.dispatch.dispatcher import Dispatcher, DispatchFailed, Station
from xinghe.engines.protocol import Batch
from xinghe.generation.stage import Stage

log = structlog.get_logger(__name__)


async def run_pass(
    dispatcher: Dispatcher,
    station: Station,
    job: GenerationJob,
    stages: Sequence[Stage],
    *,
    singly: bool = False,
) -> AsyncGenerator[Batch]:
    """Yield what the last stage lets out; the last delta of the last batch is a `FinishDelta`.

    `singly`: one delta at a time, so that what follows the end within a read is not counted.
    Raises what `Dispatcher.run` and the stages raise. Closing the generator cancels the work.
    """
    async with aclosing(dispatcher.run(station, job)) as batches:
        async for batch in batches:
            shown: list[Delta] = []
            for deltas in [[delta] for delta in batch.deltas] if singly else [batch.deltas]:
                shown += await _through(stages, deltas)
                if shown and isinstance(shown[-1], FinishDelta):
                    break
            if shown:
                yield Batch(batch.arrived, shown)
                if isinstance(shown[-1], FinishDelta):
                    return
    log.error("engine_failed", deployment=station.name, error="it gave no finish reason")
    raise DispatchFailed(station.name)


async def _through(stages: Sequence[Stage], deltas: list[Delta]) -> list[Delta]:
    for stage in stages:
        passed = stage(deltas)
        deltas = passed if isinstance(passed, list) else await passed
    return deltas
