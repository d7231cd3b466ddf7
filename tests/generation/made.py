"""Answers as the edge has them made: counted, run, and put together."""

from __future__ import annotations

from xinghe.api.chat.response import Collected
from xinghe.core import Meter
from xinghe.generation.answer import Answer
from xinghe.generation.planning import count
from xinghe.generation.request import AnswerServices, Task
from xinghe.generation.runner import Emit


async def make(services: AnswerServices, task: Task, meter: Meter, emit: Emit) -> None:
    """Emit the whole answer, its last batch too."""
    emit(await Answer(services, task, await count(task), meter).run(emit))


async def collected(services: AnswerServices, task: Task, meter: Meter) -> Collected:
    """What came of it."""
    taken = Collected()
    await make(services, task, meter, taken.take)
    return taken
