"""Passes of one answer through their stages; what breaks its promise unseen is tried again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

import structlog

from xinghe.core import (
    Constraint,
    FinishDelta,
    GenerationJob,
    Message,
    Meter,
    Prompt,
    Sampling,
    TextDelta,
)
from xinghe.dispatch.dispatcher import DispatchFailed
from xinghe.engines.protocol import Batch
from xinghe.generation.calls import CheckedCalls, ReadCalls
from xinghe.generation.checked import Checked
from xinghe.generation.followed import Followed
from xinghe.generation.gate import Gate
from xinghe.generation.passes import run_pass
from xinghe.generation.plain import PlainJson
from xinghe.generation.plan import Pass
from xinghe.generation.search import CitationFilter, CitationStage
from xinghe.generation.stage import Stage, Unkept
from xinghe.generation.tally import Tally
from xinghe.generation.task import Means, Task
from xinghe.generation.thinking import as_thought
from xinghe.generation.thought import ThoughtSplitter
from xinghe.generation.vetting import Unverified

log = structlog.get_logger(__name__)

ATTEMPTS = 3
"""How often an engine may break its promise before the request fails."""


class Passes:
    """Runs the passes of one task and counts them on one meter.

    The first one that ends has charged the prompt; the following read it again at our expense.
    `charge` is what the prompt costs whatever the engine counts (`None`: what it counts). `cite`
    makes the filter of an answer that may cite, `citations` is that of the last pass.
    """

    def __init__(self, means: Means, meter: Meter) -> None:
        self.charge: int | None = None
        self.cite: Callable[[], CitationFilter] | None = None
        self.citations: CitationFilter | None = None
        self._means = means
        self._meter = meter
        self._charged = False
        self._begun = False
        """Whether an engine has taken up a pass."""

    async def think(self, task: Task, laid_out: Pass, prompt: Prompt) -> AsyncGenerator[Batch]:
        """A pass whose text is a chain of thought; its end is no end of the answer."""
        tally = Tally(self._meter, prompt, max_tokens=0, thinking=task.thinking, charge=self.charge)
        gate = Gate((), self._means.moderator.scanner)
        job = self._job(task, prompt, laid_out.sampling, task.thinking)
        async with aclosing(self._run(job, (as_thought, tally, gate))) as batches:
            async for batch in batches:
                yield batch

    async def say(
        self, task: Task, laid_out: Pass, prompt: Prompt, *, thinking: int
    ) -> AsyncGenerator[Batch]:
        """A pass that answers or calls; `thinking` is what the engine may think by itself.

        Raises `DispatchFailed` for an engine that keeps breaking its promise, or did so seen.
        """
        meter = self._meter
        before = meter.completion_tokens, meter.reasoning_tokens
        max_tokens = task.max_tokens + thinking
        job = self._job(task, prompt, laid_out.sampling, max_tokens, laid_out.constraint)
        shown = False
        for attempt in range(ATTEMPTS):
            meter.completion_tokens, meter.reasoning_tokens = before
            stages = self._stages(task, laid_out, prompt, thinking)
            try:
                async with aclosing(self._run(job, stages, singly=bool(task.stops))) as batches:
                    async for batch in batches:
                        shown = True
                        yield batch
                return
            except Unkept:
                log.warning("answer_not_kept", attempt=attempt, shown=shown)
                if shown:
                    break
            except Unverified as error:
                # The same text may come again, and would take as long again.
                log.warning("answer_not_verified", kind=error.kind, shown=shown)
                break
        raise DispatchFailed(self._means.station.name)

    async def ask(
        self, task: Task, messages: Sequence[Message], constraint: Constraint, max_tokens: int
    ) -> str:
        """A small pass beside the answer, on nobody's meter: a search's price covers it."""
        means = self._means
        prompt = await means.dispatcher.prepare(means.station, messages)
        job = self._job(task, prompt, Sampling(temperature=0.0), max_tokens, constraint)
        tally = Tally(Meter(), prompt, max_tokens=max_tokens)
        stages = (*self._followed(task, constraint), self._splitter(prompt, constraint), tally)
        texts: list[str] = []
        try:
            async with aclosing(run_pass(means.dispatcher, means.station, job, stages)) as batches:
                async for batch in batches:
                    self._begun = True
                    texts += [delta.text for delta in batch.deltas if isinstance(delta, TextDelta)]
        except (Unkept, Unverified) as error:
            raise DispatchFailed(means.station.name) from error
        return "".join(texts)

    def _stages(self, task: Task, laid_out: Pass, prompt: Prompt, thinking: int) -> list[Stage]:
        stages: list[Stage] = self._followed(task, laid_out.constraint)
        if thinking:
            stages.append(self._splitter(prompt, laid_out.constraint))
        said = self._meter.completion_tokens - self._meter.reasoning_tokens
        stages.append(
            Tally(
                self._meter,
                prompt,
                max_tokens=max(1, task.max_tokens - said),
                thinking=thinking,
                charges_prompt=not self._charged,
                charge=self.charge,
            )
        )
        if laid_out.native is not None:
            stages.append(CheckedCalls(laid_out.native))
        elif laid_out.tools is not None:
            stages.append(ReadCalls(laid_out.tools.reader()))
        if laid_out.structure is not None or task.tools is not None:
            stages.append(PlainJson(text=laid_out.structure is not None))
        if self.cite is not None and laid_out.structure is None:
            # Anew for each pass: what an earlier one said was not shown.
            self.citations = self.cite()
            stages.append(CitationStage(self.citations))
        stages.append(Gate(task.stops, self._means.moderator.scanner))
        if laid_out.structure is not None:
            proven = self._means.station.engine.abilities.constraints == "grammar"
            stages.append(Checked(laid_out.structure.check, whole=not proven))
        return stages

    def _followed(self, task: Task, constraint: Constraint | None) -> list[Stage]:
        """The proof that an engine keeps to a grammar that it was given."""
        means = self._means
        if constraint is None or means.station.engine.abilities.constraints != "grammar":
            return []
        assert means.walker is not None
        return [Followed(constraint.grammar, means.walker, str(task.account))]

    def _splitter(self, prompt: Prompt, constraint: Constraint | None) -> ThoughtSplitter:
        # A form that holds from the first token leaves no room for a thought, opened or not.
        formal = constraint is not None and constraint.formal
        held = formal and self._means.station.engine.abilities.constraints == "grammar"
        return ThoughtSplitter(inside=prompt.thinks and not held)

    async def _run(
        self, job: GenerationJob, stages: Sequence[Stage], *, singly: bool = False
    ) -> AsyncGenerator[Batch]:
        means = self._means
        async with aclosing(
            run_pass(means.dispatcher, means.station, job, stages, singly=singly)
        ) as batches:
            async for batch in batches:
                self._begun = True
                if isinstance(batch.deltas[-1], FinishDelta):
                    # Before it goes out: whoever reads the end of a pass may leave it there.
                    self._charged = True
                yield batch

    def _job(
        self,
        task: Task,
        prompt: Prompt,
        sampling: Sampling,
        max_tokens: int,
        constraint: Constraint | None = None,
    ) -> GenerationJob:
        return GenerationJob(
            request_id=task.request_id,
            prompt=prompt,
            sampling=sampling,
            max_tokens=max_tokens,
            # What has begun goes on: its thoughts may have been shown.
            preemptible=task.preemptible and not self._begun,
            returning=self._begun,
            constraint=constraint,
            account=task.account,
        )
