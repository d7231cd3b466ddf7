"""Runs the passes of one answer; what breaks its promise unseen is tried again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, closing, nullcontext
from typing import Protocol, TypeAlias

import msgspec
import structlog
from msgspec.structs import replace

from xinghe.core import (
    Constraint,
    Delta,
    EngineRequest,
    FinishDelta,
    Message,
    Prompt,
    ReasoningDelta,
    Sampling,
    TextDelta,
    Usage,
)
from xinghe.dispatch import DispatchFailed
from xinghe.engines import NOT_TO_THINK, Batch, portions
from xinghe.generation.filter import OutputFilter
from xinghe.generation.json_check import GrammarCheck, InvalidOutput, JsonUnescape, SchemaCheck
from xinghe.generation.logprobs import Logprobs
from xinghe.generation.moderation import Review
from xinghe.generation.planning import GenerationContext, GenerationRequest, Pass, is_chinese
from xinghe.generation.preface import NO_SOURCES, Preface
from xinghe.generation.reasoning_parser import ReasoningParser, as_thought
from xinghe.generation.search import Augmented, CitationFilter
from xinghe.generation.tool_parser import ToolCallCheck, ToolCallParser
from xinghe.generation.usage import UsageCounter
from xinghe.generation.vetting import Unverified

log = structlog.get_logger(__name__)

Emit: TypeAlias = Callable[[Batch], None]
"""Takes what may be shown; an answer is bounded, so the engine never waits for its reader."""

ATTEMPTS = 3
"""How often an engine may break its promise before the request fails."""
_TAKE_RUNS = UsageCounter, ReasoningParser, OutputFilter
"""The processors that need not be told of each fragment: where there are others, they are."""
WARMER = 0.7
"""The temperature of a second attempt, at least."""


class OutputProcessor(Protocol):
    """The deltas of one read in, those that may go on out.

    A `FinishDelta` is always the last: whatever a processor holds back leaves before it, and one
    that ends the answer by itself appends one of its own. One that asks a worker is awaited.
    """

    def __call__(self, deltas: list[Delta]) -> list[Delta] | Awaitable[list[Delta]]: ...


class PassRunner(msgspec.Struct):
    """Runs the passes of one request, and counts them in one usage.

    The first one that ends has charged the prompt; the following read it again at our expense.
    `charge` is what the prompt costs whatever the engine counts (`None`: what it counts).
    Each pass returns its last batch, which ends with a `FinishDelta` and is not emitted.
    """

    context: GenerationContext
    request: GenerationRequest
    usage: Usage
    charge: int | None
    found: Augmented | None = None
    """What the answer reads beside the conversation, and may cite."""
    citations: CitationFilter | None = None
    """That of the last pass."""
    charged: bool = False
    begun: bool = False
    """Whether an engine has taken up a pass."""
    shown: bool = False
    """Whether anything of the pass was emitted."""
    spoken: bool = False
    """Whether more than a thought was."""

    async def think(self, prompt: Prompt, emit: Emit) -> Batch:
        """A pass whose text is a chain of thought: it knows of tools and forms, unheld by them."""
        thinking = self.request.thinking
        counter = UsageCounter(
            self.usage, prompt, max_tokens=0, thinking=thinking, charge=self.charge
        )
        shown = OutputFilter((), self.context.moderator.scanner)
        engine_request = self._engine_request(prompt, self.request.sampling, thinking)
        return await self._run(engine_request, [as_thought, counter, shown], emit)

    async def say(
        self, laid_out: Pass, emit: Emit, *, thinking: int = 0, stops: Sequence[str]
    ) -> Batch:
        """A pass that answers or calls; `thinking` is what the engine may think by itself.

        Raises `DispatchFailed` for an engine that keeps breaking its promise, or did so seen.
        """
        before = self.usage.completion_tokens, self.usage.reasoning_tokens
        max_tokens = self.request.max_tokens + thinking
        for attempt in range(ATTEMPTS):
            sampling = _drawn_again(laid_out.sampling, attempt)
            engine_request = replace(
                self._engine_request(laid_out.prompt, sampling, max_tokens, laid_out.constraint),
                logprobs=self.request.logprobs,
            )
            self.shown = self.spoken = False
            processors = self._processors(laid_out, thinking, stops)
            try:
                return await self._run(engine_request, processors, emit, singly=bool(stops))
            except InvalidOutput:
                log.warning("output_invalid", attempt=attempt, shown=self.shown)
                again = True
            except Unverified as error:
                log.warning("output_unverified", kind=str(error), shown=self.shown)
                again = False  # the same text may come again, and would take as long again
            except DispatchFailed:
                self._discard_unseen(*before)
                raise
            self._discard_unseen(*before)
            if self.shown or not again:
                break
        raise DispatchFailed(self.request.deployment.name)

    async def ask(
        self, messages: Sequence[Message], constraint: Constraint, max_tokens: int
    ) -> str:
        """A small pass beside the answer, in no request's usage: a search's price covers it."""
        deployment = self.request.deployment
        prompt = await deployment.prepare(messages, asked=NOT_TO_THINK)
        engine_request = self._engine_request(
            prompt, Sampling(temperature=0.0), max_tokens, constraint
        )
        counter = UsageCounter(Usage(), prompt, max_tokens=max_tokens)
        processors = [*self._parsers(prompt, constraint, thinking=True), counter]
        batches: list[Batch] = []
        try:
            batches.append(await self._run(engine_request, processors, batches.append, beside=True))
        except (InvalidOutput, Unverified) as error:
            raise DispatchFailed(deployment.name) from error
        deltas = [delta for batch in batches for delta in batch.deltas]
        return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))

    async def _run(
        self,
        engine_request: EngineRequest,
        processors: Sequence[OutputProcessor],
        emit: Emit,
        *,
        singly: bool = False,
        beside: bool = False,
    ) -> Batch:
        """Lead what an engine generates through the processors as it arrives.

        The operator's moderation model, if there is one, has the last word, but of a pass that is
        made `beside` the answer. `singly`: one delta at a time, so that what follows the end
        within a read is not counted. Raises what `ChatDeployment.run` and the processors raise.
        """
        deployment, moderator = self.request.deployment, self.context.moderator
        reviewed = moderator.asks_of_answers and not beside
        with closing(Review(moderator)) if reviewed else nullcontext() as review:
            processors = processors if review is None else [*processors, review]
            in_runs = not (singly or beside) and all(isinstance(p, _TAKE_RUNS) for p in processors)
            engine_request = replace(engine_request, in_runs=in_runs)
            async with aclosing(deployment.run(engine_request)) as batches:
                async for batch in batches:
                    self.begun = True
                    shown: list[Delta] = []
                    for deltas in [[one] for one in batch.deltas] if singly else [batch.deltas]:
                        shown += await processed(deltas, processors)
                        if shown and isinstance(shown[-1], FinishDelta):
                            self.charged = self.charged or not beside
                            return Batch(batch.arrived, shown)
                    if shown:
                        self.shown = True
                        self.spoken = self.spoken or not all(
                            isinstance(delta, ReasoningDelta) for delta in shown
                        )
                        self.usage.shown = self.usage.shown or not beside
                        emit(Batch(batch.arrived, shown))
        log.error("engine_failed", deployment=deployment.name, error="it gave no finish reason")
        raise DispatchFailed(deployment.name)

    def _discard_unseen(self, completion: int, reasoning: int) -> None:
        """What nobody saw of a pass that failed costs nothing, but it was generated.

        `completion` and `reasoning` are what the passes before have made.
        """
        usage = self.usage
        if self.spoken:
            return
        thought = usage.reasoning_tokens - reasoning if self.shown else 0
        usage.discarded_tokens += usage.completion_tokens - completion - thought
        usage.completion_tokens = completion + thought
        usage.reasoning_tokens = reasoning + thought

    def _processors(
        self, laid_out: Pass, thinking: int, stops: Sequence[str]
    ) -> list[OutputProcessor]:
        processors = self._parsers(laid_out.prompt, laid_out.constraint, thinking=thinking > 0)
        logprobs = None if self.request.logprobs is None else Logprobs()
        if logprobs is not None:
            processors.insert(0, logprobs.take)
        made, thought = self.usage.completion_tokens, self.usage.reasoning_tokens
        processors.append(
            UsageCounter(
                self.usage,
                laid_out.prompt,
                max_tokens=max(1, self.request.max_tokens - (made - thought)),
                thinking=thinking,
                charges_prompt=not self.charged,
                charge=self.charge,
                completion=made,
                reasoning=thought,
            )
        )
        if laid_out.native is not None:
            processors.append(ToolCallCheck(laid_out.native))
        elif laid_out.tools is not None:
            processors.append(ToolCallParser(laid_out.tools.names))
            if not laid_out.tools.exact and self.request.tools is not None:
                processors.append(ToolCallCheck(self.request.tools))
        if laid_out.structure is not None or self.request.tools is not None:
            processors.append(JsonUnescape(text=laid_out.structure is not None))
        if self.found is not None and laid_out.structure is None:
            # Anew for each pass: what an earlier one said was not shown.
            options = self.request.search
            enabled = options is not None and options.citation
            self.citations = CitationFilter(self.found.evidence, enabled=enabled)
            processors.append(self.citations)
        processors.append(OutputFilter(stops, self.context.moderator.scanner))
        if laid_out.structure is not None:
            held = self.request.keeps_to_grammars and laid_out.structure.exact
            processors.append(SchemaCheck(laid_out.structure.check, whole=not held))
        if logprobs is not None:
            processors.append(logprobs.give)
        if preface := self._preface(laid_out):
            processors.append(Preface(preface))
        return processors

    def _preface(self, laid_out: Pass) -> str:
        """What the platform itself says before the text, empty for nothing.

        The embedded engine's small models answer as if sources had been found, whatever they are
        told.
        """
        found = self.found
        if found is None or found.nothing is None or laid_out.structure is not None:
            return ""
        embedded = self.request.keeps_to_grammars
        return NO_SOURCES[is_chinese(self.request.messages)] if embedded else ""

    def _parsers(
        self, prompt: Prompt, constraint: Constraint | None, *, thinking: bool
    ) -> list[OutputProcessor]:
        """The proof that an engine keeps to a grammar that it was given, and its thought apart."""
        parsers: list[OutputProcessor] = []
        held = constraint is not None and self.request.keeps_to_grammars
        if constraint is not None and held:
            vetting, account = self.context.vetting, str(self.request.account)
            parsers.append(GrammarCheck(constraint.grammar, vetting, account))
        if thinking:
            # A form that holds from the first token leaves no room for a thought, opened or not.
            formal = held and constraint is not None and constraint.formal
            parsers.append(ReasoningParser(inside=prompt.thinks and not formal))
        return parsers

    def _engine_request(
        self,
        prompt: Prompt,
        sampling: Sampling,
        max_tokens: int,
        constraint: Constraint | None = None,
    ) -> EngineRequest:
        request = self.request
        return EngineRequest(
            request_id=request.request_id,
            prompt=prompt,
            sampling=sampling,
            max_tokens=max_tokens,
            # What has begun goes on: its thoughts may have been shown.
            preemptible=request.preemptible and not self.begun,
            priority=self.begun,
            constraint=constraint,
            account=request.account,
            whole=request.whole,
            has_stand_in=request.has_stand_in,
            thinking=request.asked,
        )


def _drawn_again(sampling: Sampling, attempt: int) -> Sampling:
    """The sampling of a later attempt: as the first was drawn, the same text would come again."""
    if not attempt:
        return sampling
    seed, temperature = sampling.seed, sampling.temperature
    return replace(
        sampling,
        seed=None if seed is None else seed ^ attempt,
        temperature=None if temperature is None else max(temperature, WARMER),
    )


async def processed(deltas: list[Delta], processors: Sequence[OutputProcessor]) -> list[Delta]:
    """What the processors let pass.

    One that is awaited may let all go at once that it held back: others have their turn meanwhile.
    """
    for at, processor in enumerate(processors, 1):
        out = processor(deltas)
        if isinstance(out, list):
            deltas = out
            continue
        passed: list[Delta] = []
        for number, (portion, _) in enumerate(portions(await out)):
            if number:
                await asyncio.sleep(0)
            passed += await processed(portion, processors[at:])
            if passed and isinstance(passed[-1], FinishDelta):
                break
        return passed
    return deltas
