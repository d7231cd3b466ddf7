"""Lays out a pass: what the engine reads, and what holds it."""

from __future__ import annotations

import asyncio

import msgspec
from msgspec.structs import replace

from xinghe.core import Constraint, Message, Prompt, Sampling, ToolUse
from xinghe.generation.note import with_note
from xinghe.generation.structure import Structure
from xinghe.generation.task import Means, Task
from xinghe.generation.tools import ToolPlan, flatten, vet
from xinghe.generation.tools import plan as plan_tools


class Pass(msgspec.Struct, frozen=True):
    """One pass of an engine.

    `native` are tools that the engine calls by itself, `tools` those that the platform makes it
    call, `structure` what its text must be.
    """

    messages: tuple[Message, ...]
    sampling: Sampling
    constraint: Constraint | None = None
    native: ToolUse | None = None
    tools: ToolPlan | None = None
    structure: Structure | None = None


async def lay_out(means: Means, task: Task, messages: tuple[Message, ...]) -> Pass:
    """The pass that answers, or that decides whether to call.

    Raises `Unguaranteed` for tools whose arguments no constraint can hold.
    """
    if not means.station.engine.abilities.tools:
        if task.tools is not None:
            # In a thread: vetting the schemas of many functions takes a while.
            tools = await asyncio.to_thread(
                plan_tools, messages, task.tools, max_tokens=task.max_tokens
            )
            return Pass(tools.messages, tools.sampling, tools.constraint, tools=tools)
        messages = flatten(messages)
    elif task.tools is not None:
        await asyncio.to_thread(vet, task.tools)
    return answering(task, messages, native=task.tools)


def answering(
    task: Task,
    messages: tuple[Message, ...],
    constraint: Constraint | None = None,
    native: ToolUse | None = None,
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
    return await means.dispatcher.prepare(
        means.station, laid_out.messages, laid_out.native, opening
    )
