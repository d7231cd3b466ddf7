"""Lays out a pass: what the engine reads, and what holds it."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from xinghe.core import Constraint, Message, Prompt, Sampling
from xinghe.generation.note import with_note
from xinghe.generation.task import Means, Task
from xinghe.generation.tools import ToolPlan, flatten
from xinghe.generation.tools import plan as plan_tools
from xinghe.generation.vetting import VettedForm, VettedTools


class Pass(msgspec.Struct, frozen=True):
    """One pass of an engine.

    `native` are tools that the engine calls by itself, `tools` those that the platform makes it
    call, `structure` what its text must be.
    """

    messages: tuple[Message, ...]
    sampling: Sampling
    constraint: Constraint | None = None
    native: VettedTools | None = None
    tools: ToolPlan | None = None
    structure: VettedForm | None = None


def lay_out(means: Means, task: Task, messages: tuple[Message, ...]) -> Pass:
    """The pass that answers, or that decides whether to call."""
    if not means.station.engine.abilities.tools:
        if task.tools is not None:
            assert task.tools.decision is not None
            tools = plan_tools(messages, task.tools.use, task.tools.decision)
            return Pass(tools.messages, tools.sampling, tools.constraint, tools=tools)
        messages = flatten(messages)
    return answering(task, messages, native=task.tools)


def answering(
    task: Task,
    messages: tuple[Message, ...],
    constraint: Constraint | None = None,
    native: VettedTools | None = None,
) -> Pass:
    """The pass that answers in words, or in the form that was asked for.

    `constraint` holds where the request has no form of its own.
    """
    structure = task.structure
    if structure is None:
        return Pass(messages, task.sampling, constraint, native=native)
    if structure.hint:
        messages = with_note(messages, structure.hint)
    # Penalties take the marks of JSON for repetition.
    sampling = replace(
        task.sampling, penalty_score=None, frequency_penalty=None, presence_penalty=None
    )
    return Pass(messages, sampling, structure.constraint, native=native, structure=structure)


async def prompt_of(means: Means, laid_out: Pass, opening: str = "") -> Prompt:
    """What the engine reads in a pass; `opening` is how its answer has begun already."""
    native = laid_out.native
    return await means.dispatcher.prepare(
        means.station, laid_out.messages, native.use if native else None, opening
    )
