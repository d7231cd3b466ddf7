"""Several answers to one question, under one hold: looked up once, then made side by side."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from xinghe.core import Sampling, Usage
from xinghe.engines import Batch
from xinghe.generation.answer import Answer

T = TypeVar("T")
EmitOf = Callable[[int, Batch], None]
"""Takes what may be shown of the answer of this number, from 0."""
COUNTS = (
    "prompt_tokens", "completion_tokens", "discarded_tokens", "cached_tokens", "reasoning_tokens",
    "search_tokens", "searches",
)  # fmt: skip


class Choices(msgspec.Struct):
    """Makes `n` answers of the one that `answer` would be; `run` it once.

    An engine that is held to grammars is the embedded one: it goes on from what it has read, so
    there the answers are made one after the other, and all but the first read the prompt for
    nothing. Elsewhere each is a call of its own, which reads it again.
    """

    answer: Answer
    n: int

    @property
    def prompts(self) -> int:
        """How often the prompt is charged at most."""
        return 1 if self._reads_once else self.n

    @property
    def _reads_once(self) -> bool:
        return self.answer.runner.request.keeps_to_grammars

    async def run(self, emit: EmitOf) -> list[Batch]:
        """Emit what may be shown, and return the last batch of each, as `Answer.run` does."""
        if self.n == 1:
            return [await self.answer.run(partial(emit, 0))]
        usages = [Usage() for _ in range(self.n)]
        with counted(usages, self.answer.runner.usage) as count:

            def show(choice: int, batch: Batch) -> None:
                count()
                emit(choice, batch)

            first = self._made(0, usages[0])
            refused = await first.look(partial(show, 0))
            self._keep(first)
            if refused is not None:
                now = time.perf_counter()
                return [refused, *(Batch(now, [*refused.deltas]) for _ in range(1, self.n))]
            answers = [first, *(self._made(n, usages[n]) for n in range(1, self.n))]
            speaking = [each.speak(partial(show, n)) for n, each in enumerate(answers)]
            if self._reads_once:
                return [await each for each in speaking]
            return await at_once(speaking)

    def _keep(self, looked: Answer) -> None:
        """Whoever makes them anew need not look again."""
        self.answer.looked, self.answer.runner.found = looked.looked, looked.runner.found
        self.answer.runner.charge = looked.runner.charge

    def _made(self, number: int, usage: Usage) -> Answer:
        """The answer of a number, with what was looked up for all."""
        runner = self.answer.runner
        request = replace(runner.request, sampling=_drawn_apart(runner.request.sampling, number))
        first = self.answer.counted.first
        first = replace(first, sampling=_drawn_apart(first.sampling, number))
        charged = number > 0 and self._reads_once
        return replace(
            self.answer,
            runner=replace(runner, usage=usage, request=request, charged=charged),
            counted=replace(self.answer.counted, first=first),
        )


@contextmanager
def counted(parts: Sequence[Usage], whole: Usage) -> Iterator[Callable[[], None]]:
    """Within it, what is given brings the whole up to date; it is so at the end in any case."""
    before = {name: getattr(whole, name) for name in COUNTS}

    def count() -> None:
        for name, base in before.items():
            setattr(whole, name, base + sum(getattr(each, name) for each in parts))
        whole.started = any(each.started for each in parts)
        whole.shown = any(each.shown for each in parts)
        whole.finished = all(each.finished for each in parts)
        whole.finish = parts[0].finish

    try:
        yield count
    finally:
        count()


async def at_once(speaking: Sequence[Coroutine[None, None, T]]) -> list[T]:
    """What all of them return; where one fails, the others end."""
    tasks = [asyncio.create_task(each) for each in speaking]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        if failed := next((each for each in done if each.exception() is not None), None):
            failed.result()
        return [each.result() for each in tasks]
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.wait(tasks)


def _drawn_apart(sampling: Sampling, number: int) -> Sampling:
    """With a seed of its own: from the same one, the same text would come again."""
    return sampling if sampling.seed is None else replace(sampling, seed=sampling.seed ^ number)
