"""The passes of one answer, under one hold: look, search, think, decide about calls, say."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import partial

from msgspec.structs import replace

from xinghe.core import (
    Constraint,
    Delta,
    FinishDelta,
    FinishReason,
    Message,
    Meter,
    Prompt,
    ReasoningDelta,
    Source,
    SourcesDelta,
    TextDelta,
)
from xinghe.engines.estimate import estimated_tokens
from xinghe.engines.protocol import Batch
from xinghe.generation.attempt import Passes
from xinghe.generation.note import with_note
from xinghe.generation.plan import Pass, answering, lay_out, prompt_of
from xinghe.generation.research import Research
from xinghe.generation.review import reviewed
from xinghe.generation.search import Augmented, CitationFilter, augment
from xinghe.generation.sight import seen
from xinghe.generation.task import Means, Task
from xinghe.generation.thinking import think_note, thought_note
from xinghe.generation.thought import CLOSE, OPEN
from xinghe.generation.withheld import withheld
from xinghe.pictures import image_tokens, pictures_in


class Answer:
    """One answer: `prepare` counts what it will read, `batches` makes it (once).

    Between the two, `task` may be replaced by one with shorter lengths.
    """

    def __init__(self, means: Means, task: Task, meter: Meter) -> None:
        self.task = task
        self.picture_tokens = sum(
            image_tokens(one.width, one.height) for one in pictures_in(task.messages)
        )
        """What the pictures of the conversation cost, beside its text."""
        self._means = means
        self._meter = meter
        self._passes = Passes(means, meter)
        self._messages = task.messages
        """The conversation as the model reads it: what pictures show and searches find is added."""
        self._sources: tuple[Source, ...] = ()
        self._thinks_first = bool(task.thinking) and not means.station.engine.abilities.thinks
        """Whether the platform lets the model think, as the engine does not by itself."""
        self._withheld = False
        """Whether no engine was asked: that costs nothing."""

    async def prepare(self) -> Prompt:
        """What the first pass reads, but for what pictures show and a search will find.

        Raises `DispatchFailed`.
        """
        if self.picture_tokens:
            self._messages = tuple(replace(one, parts=()) for one in self.task.messages)
        prompt = await self._begin()
        if self.picture_tokens:
            self._passes.charge = prompt.tokens + self.picture_tokens
        return prompt

    async def batches(self) -> AsyncGenerator[Batch]:
        """Yield what may be shown and, last, one `FinishDelta`; the meter counts along.

        Raises what `Dispatcher.run` raises.
        """
        async with aclosing(reviewed(self._phases(), self._means.moderator)) as batches:
            async for batch in batches:
                ended = isinstance(batch.deltas[-1], FinishDelta)
                if ended:
                    self._meter.finished = not self._withheld
                    self._name_sources(batch.deltas)
                yield batch
                if ended:
                    return

    async def _phases(self) -> AsyncGenerator[Batch]:
        """Phase by phase; whatever ends the answer ends it with a `FinishDelta`."""
        for phase in (self._look, self._search, self._think, self._decide, self._say):
            async with aclosing(phase()) as batches:
                async for batch in batches:
                    yield batch

    async def _look(self) -> AsyncGenerator[Batch]:
        """What the pictures show takes their place; what is unsafe in them ends the answer."""
        if not self.picture_tokens:
            return
        sight = await seen(self._means, self.task.messages)
        if sight.unsafe is not None:
            self._withheld = True
            yield Batch(time.perf_counter(), withheld(sight.unsafe))
        self._messages = sight.messages
        if self.task.search is None:
            await self._begin()

    async def _begin(self, thought: str | None = None) -> Prompt:
        """Lay out and count the next pass."""
        messages = self._messages
        if thought:
            messages = with_note(messages, thought_note(messages, thought))
        elif thought is None and self._thinks_first:
            messages = with_note(messages, think_note(messages))
        self._first = lay_out(self._means, self.task, messages)
        return await self._count()

    async def _count(self) -> Prompt:
        self._prompt = await prompt_of(self._means, self._first)
        return self._prompt

    async def _search(self) -> AsyncGenerator[Batch]:
        """What is found goes into the prompt; the answer may then cite it."""
        options, searcher = self.task.search, self._means.searcher
        if options is None:
            return
        assert searcher is not None

        async def ask(messages: Sequence[Message], constraint: Constraint, max_tokens: int) -> str:
            return await self._passes.ask(self.task, messages, constraint, max_tokens)

        async def search(begun: Callable[[], None]) -> Augmented:
            return await augment(
                self._messages,
                options,
                ask,
                searcher,
                budget=self.task.search_budget,
                measure=estimated_tokens,
                words=self.task.messages,
                # Asked for marks, small models write little else: theirs are set by the filter.
                # In JSON there is no filter, as a mark may break what a schema asks of a string.
                asks_to_cite=not self._continues and self.task.structure is None,
                begun=begun,
            )

        research = Research(options, self._meter, search)
        async with aclosing(research.batches()) as batches:
            async for batch in batches:
                yield batch
        found = research.augmented
        assert found is not None
        self._messages, self._sources = found.messages, found.sources
        self._passes.cite = partial(CitationFilter, found.evidence, enabled=options.citation)
        if self._passes.charge is not None:
            self._passes.charge += found.tokens
        await self._begin()

    def _name_sources(self, deltas: list[Delta]) -> None:
        """With citations but no trace, the sources that were cited, before the end."""
        options, citations = self.task.search, self._passes.citations
        if options is None or not options.citation or options.trace or citations is None:
            return
        sources = tuple(each for each in self._sources if each.index in citations.cited)
        if sources:
            deltas.insert(-1, SourcesDelta(sources))

    async def _think(self) -> AsyncGenerator[Batch]:
        """The chain of thought, which the pass after it is told."""
        if not self._thinks_first:
            return
        thoughts: list[str] = []
        # It knows of tools and forms, but is held to nothing.
        laid_out = Pass(self._first.messages, self.task.sampling)
        async with aclosing(self._passes.think(self.task, laid_out, self._prompt)) as batches:
            async for batch in batches:
                if _ended(batch, FinishReason.CONTENT_FILTER):
                    yield batch
                    return
                shown: list[Delta] = [d for d in batch.deltas if not isinstance(d, FinishDelta)]
                thoughts += [d.text for d in shown if isinstance(d, ReasoningDelta)]
                if shown:
                    yield Batch(batch.arrived, shown)
        await self._begin("".join(thoughts))

    async def _decide(self) -> AsyncGenerator[Batch]:
        """The pass that calls, or finds that nothing is to be called: then the answer is next."""
        tools = self._first.tools
        if tools is None:
            return
        # A stop string ends no call, and a reply only where it is shown.
        task = replace(self.task, stops=())
        async with aclosing(
            self._passes.say(task, self._first, self._prompt, thinking=0)
        ) as batches:
            async for batch in batches:
                # The beginning of a reply is said again, in the request's own manner.
                shown: list[Delta] = [d for d in batch.deltas if not isinstance(d, TextDelta)]
                if tools.reply is not None and _ended(batch, FinishReason.NORMAL):
                    break
                if shown:
                    yield Batch(batch.arrived, shown)
        self._first = answering(self.task, tools.messages, tools.reply)
        await self._count()

    async def _say(self) -> AsyncGenerator[Batch]:
        thinking = 0 if self._thinks_first else self.task.thinking
        thoughts: list[str] = []
        async with aclosing(
            self._passes.say(self.task, self._first, self._prompt, thinking=thinking)
        ) as batches:
            async for batch in batches:
                thoughts += [d.text for d in batch.deltas if isinstance(d, ReasoningDelta)]
                if any(isinstance(d, TextDelta) and d.text for d in batch.deltas):
                    thinking = 0
                if thinking and self._continues and _ended(batch, FinishReason.LENGTH):
                    shown: list[Delta] = [*batch.deltas[:-1]]
                    if shown:
                        yield Batch(batch.arrived, shown)
                    break
                yield batch
                if isinstance(batch.deltas[-1], FinishDelta):
                    return
        # The thought has reached its bound: it is closed, and the model goes on from there.
        opening = "".join([*thoughts, "\n", CLOSE, "\n\n"])
        opening = opening if self._prompt.thinks else f"{OPEN}\n{opening}"
        prompt = await prompt_of(self._means, self._first, opening)
        async with aclosing(
            self._passes.say(self.task, self._first, prompt, thinking=0)
        ) as batches:
            async for batch in batches:
                yield batch

    @property
    def _continues(self) -> bool:
        """Whether the engine can be made to go on from a given beginning of its answer."""
        return self._means.station.engine.abilities.constraints == "grammar"


def _ended(batch: Batch, reason: FinishReason) -> bool:
    last = batch.deltas[-1]
    return isinstance(last, FinishDelta) and last.reason is reason
