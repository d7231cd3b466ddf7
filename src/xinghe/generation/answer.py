"""One answer, under one hold: look, search, think, decide about calls, say."""

from __future__ import annotations

import time

import structlog

from xinghe.core import (
    CURRENT_ROUND,
    Delta,
    FinishDelta,
    FinishReason,
    Message,
    Meter,
    ReasoningDelta,
    SearchingDelta,
    Source,
    SourcesDelta,
    TextDelta,
)
from xinghe.engines import Batch, PromptUnsafe
from xinghe.engines.prompts import estimated_tokens
from xinghe.generation.moderation import withheld
from xinghe.generation.pictures import read_pictures
from xinghe.generation.planning import (
    AnswerServices,
    Counted,
    Pass,
    Task,
    answering,
    continued,
    first_pass,
    thought_note,
)
from xinghe.generation.reasoning_parser import CLOSE, OPEN
from xinghe.generation.runner import Emit, Runner
from xinghe.generation.search import Augmented, SearchOptions, augment, planned_query

log = structlog.get_logger(__name__)

REFUSED = FinishDelta(FinishReason.CONTENT_FILTER, 3, CURRENT_ROUND)
"""Where a moderation of the upstream's own has refused the conversation, of which it said no more:
`flag` 3 is also what an operator's phrases have."""


class Answer:
    """Makes the answer to a task of which the first pass is `counted`; `run` it once."""

    def __init__(
        self, services: AnswerServices, task: Task, counted: Counted, meter: Meter
    ) -> None:
        self._task = task
        self._counted = counted
        self._services = services
        self._meter = meter
        # Pictures have a price of their own, whatever the engine counts.
        charge = counted.tokens if counted.picture_tokens else None
        self._runner = Runner(services, task, meter, charge)

    async def run(self, emit: Emit) -> Batch:
        """Emit what may be shown as it comes, and return the last batch, which is not emitted.

        That one ends with the answer's only `FinishDelta`, and leaves once its charge is saved.
        The meter counts along; it has not `finished` where no engine was asked: that costs
        nothing. Raises what `ChatDeployment.run` raises.
        """
        task, first = self._task, self._counted.first
        messages, found = task.messages, None
        if self._counted.picture_tokens:
            sight = await read_pictures(self._services, task)
            if sight.unsafe is not None:
                return Batch(time.perf_counter(), withheld(sight.unsafe))
            messages = sight.messages
        try:
            if task.search is not None:
                found = await self._search(task.search, messages, emit)
                messages = found.messages
            if self._counted.picture_tokens or found is not None:
                first = await first_pass(task, messages)
            last = await self._speak(first, messages, emit)
        except PromptUnsafe as error:
            log.info("prompt_unsafe", deployment=task.deployment.name, error=str(error))
            self._meter.finished = self._meter.completion_tokens > 0
            if not self._meter.finished:  # nothing was shown: it is refused, at no cost
                self._meter.prompt_tokens = self._meter.search_tokens = 0
            return Batch(time.perf_counter(), withheld(REFUSED))
        self._meter.finished = True
        if found is not None:
            self._name_sources(found.sources, last)
        return last

    async def _search(
        self, options: SearchOptions, messages: tuple[Message, ...], emit: Emit
    ) -> Augmented:
        """What is found goes into the prompt; the answer may then cite it."""
        task = self._task
        # Queries go to strangers: they are made of the words that stand beside pictures.
        query = await planned_query(task.messages, self._runner.ask, messages)
        if query is None:
            found = Augmented(messages)
        else:
            if options.status:
                emit(Batch(time.perf_counter(), [SearchingDelta()]))
            found = await augment(
                messages,
                query,
                options,
                self._services.searcher,
                budget=task.search_budget,
                measure=estimated_tokens,
                # Asked for marks, small models write little else: theirs are set by the filter.
                # In JSON there is no filter, as a mark may break what a schema asks of a string.
                asks_to_cite=not task.keeps_to_grammars and task.structure is None,
            )
        self._meter.searches += found.searches
        self._meter.search_tokens = found.tokens
        self._runner.found = found
        if self._runner.charge is not None:
            self._runner.charge += found.tokens
        if options.trace and found.sources:
            emit(Batch(time.perf_counter(), [SourcesDelta(found.sources)]))
        return found

    def _name_sources(self, sources: tuple[Source, ...], last: Batch) -> None:
        """With citations but no trace, the sources that were cited, before the end."""
        options, citations = self._task.search, self._runner.citations
        if options is None or not options.citation or options.trace or citations is None:
            return
        cited = tuple(each for each in sources if each.index in citations.cited)
        if cited:
            last.deltas.insert(-1, SourcesDelta(cited))

    async def _speak(self, first: Pass, messages: tuple[Message, ...], emit: Emit) -> Batch:
        """Think, decide about calls, say; returns the last batch."""
        thinking = self._task.thinking
        if self._task.thinks_first:
            thinking = 0
            heard = _Heard(emit)
            last = await self._runner.think(first.prompt, heard)
            if _reason(last) is FinishReason.CONTENT_FILTER:
                return last
            heard.all_but_the_end(last)
            note = thought_note(messages, heard.thought) if heard.thought else ""
            first = await first_pass(self._task, messages, note)
        if first.tools is not None:
            # A stop string ends no call, and a reply only where it is shown.
            last = await self._runner.say(first, emit, stops=())
            reply = first.tools.reply
            if reply is None or _reason(last) is not FinishReason.NORMAL:
                return last
            first = await answering(self._task, first.tools.plain, reply)
        return await self._say(first, emit, thinking)

    async def _say(self, first: Pass, emit: Emit, thinking: int) -> Batch:
        """The answer in words; `thinking` bounds what the engine thinks by itself before it."""
        stops = self._task.stops
        if not (thinking and self._task.keeps_to_grammars):
            return await self._runner.say(first, emit, thinking=thinking, stops=stops)
        heard = _Heard(emit)
        last = await self._runner.say(first, heard, thinking=thinking, stops=stops)
        if _reason(last) is not FinishReason.LENGTH or heard.has_text(last):
            return last
        # The thought has reached its bound: it is closed, and the model goes on from there.
        heard.all_but_the_end(last)
        opening = f"{heard.thought}\n{CLOSE}\n\n"
        opening = opening if first.prompt.thinks else f"{OPEN}\n{opening}"
        goes_on = await continued(self._task, first, opening)
        return await self._runner.say(goes_on, emit, stops=stops)


class _Heard:
    """Emits what a pass shows, and remembers it."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._deltas: list[Delta] = []

    def __call__(self, batch: Batch) -> None:
        self._deltas += batch.deltas
        self._emit(batch)

    def all_but_the_end(self, last: Batch) -> None:
        """Take the last batch of a pass that does not end the answer."""
        if len(last.deltas) > 1:
            self(Batch(last.arrived, last.deltas[:-1]))

    def has_text(self, last: Batch) -> bool:
        """Whether something was said, with the last batch of the pass."""
        deltas = [*self._deltas, *last.deltas]
        return any(isinstance(delta, TextDelta) and delta.text for delta in deltas)

    @property
    def thought(self) -> str:
        return "".join(d.text for d in self._deltas if isinstance(d, ReasoningDelta))


def _reason(last: Batch) -> FinishReason:
    """How a pass ended, by its last batch."""
    finish = last.deltas[-1]
    assert isinstance(finish, FinishDelta)
    return finish.reason
