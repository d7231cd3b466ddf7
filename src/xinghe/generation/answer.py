"""One answer, under one hold: look, search, think, decide about calls, say."""

import time

import msgspec
import structlog
from msgspec.structs import replace

from xinghe.core import (
    Delta,
    FinishDelta,
    FinishReason,
    Message,
    ReasoningDelta,
    SearchingDelta,
    Source,
    SourcesDelta,
    TextDelta,
    Usage,
)
from xinghe.engines import Batch, PromptUnsafe
from xinghe.engines.fields import UNSAFE
from xinghe.engines.prompts import estimated_tokens
from xinghe.generation.moderation import refusal
from xinghe.generation.pictures import read_pictures
from xinghe.generation.planning import (
    Counted,
    GenerationRequest,
    Pass,
    answering,
    continued,
    first_pass,
    thought_note,
)
from xinghe.generation.reasoning_parser import CLOSE, OPEN
from xinghe.generation.runner import Emit, PassRunner
from xinghe.generation.search import Augmented, SearchOptions, augment, planned_query
from xinghe.generation.usage import begin_anew
from xinghe.text_run import TextRun

log = structlog.get_logger(__name__)


class Answer(msgspec.Struct):
    """Makes the answer to the runner's request, whose first pass is `counted`; `run` it once.

    The runner's `charge` is that of `counted`.
    """

    runner: PassRunner
    counted: Counted
    looked: tuple[Message, ...] | None = None
    """The conversation with what its pictures show and a search has found, once that is done."""

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation as an engine reads it, as far as it is known."""
        return self.runner.request.messages if self.looked is None else self.looked

    def handed_on(self, request: GenerationRequest, counted: Counted) -> "Answer":
        """The same answer, made anew by the deployment of `request`: nothing of it was sent.

        `counted` are its `messages` as that one counts them. What was looked up stays.
        """
        begin_anew(self.runner.usage)
        runner = replace(
            self.runner,
            request=request,
            citations=None,
            charged=False,
            begun=False,
            shown=False,
            spoken=False,
        )
        return Answer(runner, counted, self.looked)

    async def run(self, emit: Emit) -> Batch:
        """Emit what may be shown as it comes, and return the last batch, which is not emitted.

        That one ends with the answer's only `FinishDelta`, and leaves once its charge is saved.
        The usage is counted meanwhile; it has not `finished` where no engine was asked: that costs
        nothing. Raises what `ChatDeployment.run` raises.
        """
        unsafe = await self.look(emit)
        return await self.speak(emit) if unsafe is None else unsafe

    async def look(self, emit: Emit) -> Batch | None:
        """Read the pictures and search; the whole answer where that is the end of it."""
        request = self.runner.request
        if self.counted.charge is not None and self.looked is None:
            messages, unsafe = await read_pictures(self.runner.context, request)
            if unsafe is not None:
                return Batch(time.perf_counter(), refusal(unsafe))
            self.looked = messages
        if request.search is not None and self.runner.found is None:
            try:
                found = await self._search(request.search, self.messages, emit)
            except PromptUnsafe as error:
                return self._refused(error)
            self.looked = found.messages
        return None

    async def speak(self, emit: Emit) -> Batch:
        """What follows, once it has looked; emits and returns as `run` does."""
        usage, first = self.runner.usage, self.counted.first
        try:
            if self.looked is not None:
                first = await first_pass(self.runner.request, self.looked)
            last = await self._speak(first, self.messages, emit)
        except PromptUnsafe as error:
            return self._refused(error)
        usage.finished, usage.finish = True, _reason(last)
        if self.runner.found is not None:
            self._name_sources(self.runner.found.sources, last)
        return last

    def _refused(self, error: PromptUnsafe) -> Batch:
        """The answer where an upstream's own moderation takes the conversation for unsafe."""
        usage = self.runner.usage
        log.info("prompt_unsafe", deployment=self.runner.request.deployment.name, error=str(error))
        usage.finished, usage.finish = usage.shown, FinishReason.CONTENT_FILTER
        if not usage.finished:  # it is refused, at no cost
            usage.prompt_tokens = usage.completion_tokens = usage.search_tokens = 0
            usage.cached_tokens = usage.reasoning_tokens = 0
        return Batch(time.perf_counter(), refusal(UNSAFE))

    async def _search(
        self, options: SearchOptions, messages: tuple[Message, ...], emit: Emit
    ) -> Augmented:
        """What is found goes into the prompt; the answer may then cite it."""
        request = self.runner.request
        # Queries go to strangers: they are made of the words that stand beside pictures.
        query = await planned_query(request.messages, self.runner.ask, messages)
        if query is None:
            found = Augmented(messages)
        else:
            if options.status:
                emit(Batch(time.perf_counter(), [SearchingDelta(query)]))
            found = await augment(
                messages,
                query,
                options,
                self.runner.context.searcher,
                budget=request.search_budget,
                measure=estimated_tokens,
                # Asked for marks, small models write little else: theirs are set by the filter.
                # In JSON there is no filter, as a mark may break what a schema asks of a string.
                asks_to_cite=not request.keeps_to_grammars and request.structure is None,
            )
        self.runner.usage.searches += found.searches
        self.runner.usage.search_tokens = found.tokens
        self.runner.found = found
        if self.runner.charge is not None:
            self.runner.charge += found.tokens
        told: list[Delta] = []
        if options.status and found.nothing is not None:
            told.append(found.nothing)
        if options.trace and (found.sources or found.nothing is not None):
            told.append(SourcesDelta(found.sources))
        if told:
            emit(Batch(time.perf_counter(), told))
        return found

    def _name_sources(self, sources: tuple[Source, ...], last: Batch) -> None:
        """With citations but no trace, the sources that were cited, before the end."""
        options, citations = self.runner.request.search, self.runner.citations
        if options is None or not options.citation or options.trace or citations is None:
            return
        cited = tuple(each for each in sources if each.index in citations.cited)
        if cited:
            last.deltas.insert(-1, SourcesDelta(cited))

    async def _speak(self, first: Pass, messages: tuple[Message, ...], emit: Emit) -> Batch:
        """Think, decide about calls, say; returns the last batch."""
        thinking = self.runner.request.thinking
        if self.runner.request.thinks_first:
            thinking = 0
            heard = _Heard(emit, self.runner.usage)
            last = await self.runner.think(first.prompt, heard)
            if _reason(last) is FinishReason.CONTENT_FILTER:
                return last
            heard.all_but_the_end(last)
            note = thought_note(messages, heard.thought) if heard.thought else ""
            first = await first_pass(self.runner.request, messages, note)
        if first.tools is not None:
            # A stop string ends no call, and a reply only where it is shown.
            last = await self.runner.say(first, emit, stops=())
            reply = first.tools.reply
            if reply is None or _reason(last) is not FinishReason.NORMAL:
                return last
            first = await answering(self.runner.request, first.tools.plain, reply)
        if thinking and self.runner.request.keeps_to_grammars:
            return await self._say_behind_thought(first, emit, thinking)
        return await self.runner.say(
            first, emit, thinking=thinking, stops=self.runner.request.stops
        )

    async def _say_behind_thought(self, first: Pass, emit: Emit, thinking: int) -> Batch:
        """The answer in words, where `thinking` bounds what the engine thinks by itself before."""
        stops = self.runner.request.stops
        heard = _Heard(emit, self.runner.usage)
        last = await self.runner.say(first, heard, thinking=thinking, stops=stops)
        if _reason(last) is not FinishReason.LENGTH or heard.has_text(last):
            return last
        # The thought has reached its bound: it is closed, and the model goes on from there.
        heard.all_but_the_end(last)
        opening = f"{heard.thought}\n{CLOSE}\n\n"
        opening = opening if first.prompt.thinks else f"{OPEN}\n{opening}"
        goes_on = await continued(self.runner.request, first, opening)
        return await self.runner.say(goes_on, emit, stops=stops)


class _Heard(msgspec.Struct):
    """Emits what a pass shows, and remembers it."""

    emit: Emit
    usage: Usage
    deltas: list[Delta] = []

    def __call__(self, batch: Batch) -> None:
        self.deltas += batch.deltas
        self.emit(batch)

    def all_but_the_end(self, last: Batch) -> None:
        """Take the last batch of a pass that does not end the answer."""
        if len(last.deltas) > 1:
            self.usage.shown = True
            self(Batch(last.arrived, last.deltas[:-1]))

    def has_text(self, last: Batch) -> bool:
        """Whether something was said, with the last batch of the pass."""
        deltas = [*self.deltas, *last.deltas]
        return any(isinstance(delta, TextDelta | TextRun) and delta.text for delta in deltas)

    @property
    def thought(self) -> str:
        return "".join(d.text for d in self.deltas if isinstance(d, ReasoningDelta))


def _reason(last: Batch) -> FinishReason:
    """How a pass ended, by its last batch."""
    finish = last.deltas[-1]
    assert isinstance(finish, FinishDelta)
    return finish.reason
