"""Answers as the edge has them made: counted, run, and put together."""

from __future__ import annotations

from tests.generation.vetted import Here
from xinghe.api.chat.response import Accumulator
from xinghe.core import Picture, Usage
from xinghe.generation.answer import Answer
from xinghe.generation.planning import GenerationContext, GenerationRequest, Reader, count
from xinghe.generation.runner import Emit, PassRunner
from xinghe.generation.search import Searcher
from xinghe.pictures import Description
from xinghe.safety import Moderator
from xinghe.search import Measure, Reference


class Nobody:
    """Stands where a test is to ask for no search and no picture."""

    async def search(
        self, query: str, *, number: int, references: int, budget: int, measure: Measure
    ) -> list[Reference]:
        raise AssertionError("nothing is to be searched")

    async def describe(self, picture: Picture, max_characters: int = 0) -> Description:
        raise AssertionError("no picture is to be read")


NOBODY = Nobody()


def services(
    moderator: Moderator, searcher: Searcher = NOBODY, reader: Reader = NOBODY
) -> GenerationContext:
    """What a test names, and a walk of grammars in this process."""
    return GenerationContext(moderator, searcher, reader, Here())


async def make(
    services: GenerationContext, request: GenerationRequest, usage: Usage, emit: Emit
) -> None:
    """Emit the whole answer, its last batch too."""
    counted = await count(request)
    emit(await Answer(PassRunner(services, request, usage, counted.charge), counted).run(emit))


async def accumulated(
    services: GenerationContext, request: GenerationRequest, usage: Usage
) -> Accumulator:
    """What came of it."""
    taken = Accumulator()
    await make(services, request, usage, taken.take)
    return taken
