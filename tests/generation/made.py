"""Answers as the edge has them made: counted, run, and put together."""

from __future__ import annotations

from xinghe.api.chat.collected import Collected
from xinghe.core import Meter
from xinghe.generation.answer import Answer
from xinghe.generation.plan import count
from xinghe.generation.runner import Emit
from xinghe.generation.task import Means, Task


async def make(means: Means, task: Task, meter: Meter, emit: Emit) -> None:
    """Emit the whole answer, its last batch too."""
    emit(await Answer(means, task, await count(means, task), meter).run(emit))


async def collected(means: Means, task: Task, meter: Meter) -> Collected:
    """What came of it."""
    taken = Collected()
    await make(means, task, meter, lambda batch: taken.take(batch.deltas))
    return taken
