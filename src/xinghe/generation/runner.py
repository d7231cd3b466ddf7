"""Runs the passes of one answer; what breaks its promise unseen is tried again."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, closing, nullcontext
from typing import Protocol, TypeAlias

import msgspec
import structlog

from xinghe.core import (
    Constraint,
    Delta,
    FinishDelta,
    GenerationJob,
    Message,
    Meter,
    Prompt,
    Sampling,
    TextDelta,
)
from xinghe.dispatch import DispatchFailed
from xinghe.engines import Batch
from xinghe.generation.filter import OutputFilter
from xinghe.generation.json_check import CheckedJson, Followed, PlainJson, Unkept
from xinghe.generation.moderation import Review
from xinghe.generation.planning import AnswerServices, Pass, Task
from xinghe.generation.reasoning_parser import ReasoningParser, as_thought
from xinghe.generation.search import Augmented, CitationFilter
from xinghe.generation.tool_parser import CheckedCalls, ToolCallParser
from xinghe.generation.usage import UsageCounter
from xinghe.generation.vetting import Unverified

log = structlog.get_logger(__name__)

Emit: TypeAlias = Callable[[Batch], None]
"""Takes what may be shown; an answer is bounded, so nobody has to wait for who reads it."""

ATTEMPTS = 3
"""How often an engine may break its promise before the request fails."""


class Processor(Protocol):
    """The deltas of one read in, those that may go on out.

    A `FinishDelta` is always the last: whatever a processor holds back leaves before it, and one
    that ends the answer by itself appends one of its own. One that asks a worker is awaited.
    """

    def __call__(self, deltas: list[Delta]) -> list[Delta] | Awaitable[list[Delta]]: ...


class Runner(msgspec.Struct):
    """Runs the passes of one task and counts them on one meter.

    The first one that ends has charged the prompt; the following read it again at our expense.
    `charge` is what the prompt costs whatever the engine counts (`None`: what it counts).
    Each pass returns its last batch, which ends with a `FinishDelta` and is not emitted.
    """

    services: AnswerServices
    task: Task
    meter: Meter
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

    async def think(self, prompt: Prompt, emit: Emit) -> Batch:
        """A pass whose text is a chain of thought: it knows of tools and forms, unheld by them."""
        thinking = self.task.thinking
        usage = UsageCounter(
            self.meter, prompt, max_tokens=0, thinking=thinking, charge=self.charge
        )
        shown = OutputFilter((), self.services.moderator.scanner)
        job = self._job(prompt, self.task.sampling, thinking)
        return await self._run(job, [as_thought, usage, shown], emit)

    async def say(
        self, laid_out: Pass, emit: Emit, *, thinking: int = 0, stops: Sequence[str]
    ) -> Batch:
        """A pass that answers or calls; `thinking` is what the engine may think by itself.

        Raises `DispatchFailed` for an engine that keeps breaking its promise, or did so seen.
        """
        meter = self.meter
        before = meter.completion_tokens, meter.reasoning_tokens
        max_tokens = self.task.max_tokens + thinking
        job = self._job(laid_out.prompt, laid_out.sampling, max_tokens, laid_out.constraint)
        for attempt in range(ATTEMPTS):
            meter.completion_tokens, meter.reasoning_tokens = before
            self.shown = False
            processors = self._processors(laid_out, thinking, stops)
            try:
                return await self._run(job, processors, emit, singly=bool(stops))
            except Unkept:
                log.warning("answer_not_kept", attempt=attempt, shown=self.shown)
                if self.shown:
                    break
            except Unverified as error:
                # The same text may come again, and would take as long again.
                log.warning("answer_not_verified", kind=str(error), shown=self.shown)
                break
        raise DispatchFailed(self.task.deployment.name)

    async def ask(
        self, messages: Sequence[Message], constraint: Constraint, max_tokens: int
    ) -> str:
        """A small pass beside the answer, on nobody's meter: a search's price covers it."""
        deployment = self.task.deployment
        prompt = await deployment.prepare(messages)
        job = self._job(prompt, Sampling(temperature=0.0), max_tokens, constraint)
        usage = UsageCounter(Meter(), prompt, max_tokens=max_tokens)
        processors = [*self._parsers(prompt, constraint, thinking=True), usage]
        batches: list[Batch] = []
        try:
            batches.append(await self._run(job, processors, batches.append, beside=True))
        except (Unkept, Unverified) as error:
            raise DispatchFailed(deployment.name) from error
        deltas = [delta for batch in batches for delta in batch.deltas]
        return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))

    async def _run(
        self,
        job: GenerationJob,
        processors: Sequence[Processor],
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
        deployment, moderator = self.task.deployment, self.services.moderator
        reviewed = moderator.asks_of_answers and not beside
        with closing(Review(moderator)) if reviewed else nullcontext() as review:
            processors = processors if review is None else [*processors, review]
            async with aclosing(deployment.run(job)) as batches:
                async for batch in batches:
                    self.begun = True
                    shown: list[Delta] = []
                    for deltas in [[one] for one in batch.deltas] if singly else [batch.deltas]:
                        passed = deltas
                        for processor in processors:
                            out = processor(passed)
                            passed = out if isinstance(out, list) else await out
                        shown += passed
                        if shown and isinstance(shown[-1], FinishDelta):
                            self.charged = self.charged or not beside
                            return Batch(batch.arrived, shown)
                    if shown:
                        self.shown = True
                        self.meter.shown = self.meter.shown or not beside
                        emit(Batch(batch.arrived, shown))
        log.error("engine_failed", deployment=deployment.name, error="it gave no finish reason")
        raise DispatchFailed(deployment.name)

    def _processors(self, laid_out: Pass, thinking: int, stops: Sequence[str]) -> list[Processor]:
        processors = self._parsers(laid_out.prompt, laid_out.constraint, thinking=thinking > 0)
        made, thought = self.meter.completion_tokens, self.meter.reasoning_tokens
        processors.append(
            UsageCounter(
                self.meter,
                laid_out.prompt,
                max_tokens=max(1, self.task.max_tokens - (made - thought)),
                thinking=thinking,
                charges_prompt=not self.charged,
                charge=self.charge,
                completion=made,
                reasoning=thought,
            )
        )
        if laid_out.native is not None:
            processors.append(CheckedCalls(laid_out.native))
        elif laid_out.tools is not None:
            processors.append(ToolCallParser(laid_out.tools.names))
        if laid_out.structure is not None or self.task.tools is not None:
            processors.append(PlainJson(text=laid_out.structure is not None))
        if self.found is not None and laid_out.structure is None:
            # Anew for each pass: what an earlier one said was not shown.
            options = self.task.search
            enabled = options is not None and options.citation
            self.citations = CitationFilter(self.found.evidence, enabled=enabled)
            processors.append(self.citations)
        processors.append(OutputFilter(stops, self.services.moderator.scanner))
        if laid_out.structure is not None:
            whole = not self.task.keeps_to_grammars
            processors.append(CheckedJson(laid_out.structure.check, whole=whole))
        return processors

    def _parsers(
        self, prompt: Prompt, constraint: Constraint | None, *, thinking: bool
    ) -> list[Processor]:
        """The proof that an engine keeps to a grammar that it was given, and its thought apart."""
        parsers: list[Processor] = []
        held = constraint is not None and self.task.keeps_to_grammars
        if constraint is not None and held:
            vetting, account = self.services.vetting, str(self.task.account)
            parsers.append(Followed(constraint.grammar, vetting, account))
        if thinking:
            # A form that holds from the first token leaves no room for a thought, opened or not.
            formal = held and constraint is not None and constraint.formal
            parsers.append(ReasoningParser(inside=prompt.thinks and not formal))
        return parsers

    def _job(
        self,
        prompt: Prompt,
        sampling: Sampling,
        max_tokens: int,
        constraint: Constraint | None = None,
    ) -> GenerationJob:
        task = self.task
        return GenerationJob(
            request_id=task.request_id,
            prompt=prompt,
            sampling=sampling,
            max_tokens=max_tokens,
            # What has begun goes on: its thoughts may have been shown.
            preemptible=task.preemptible and not self.begun,
            returning=self.begun,
            constraint=constraint,
            account=task.account,
        )
