"""Lays out and counts a pass: what the engine reads, and what holds it."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from xinghe.core import Constraint, Message, Prompt, Sampling
from xinghe.generation.note import with_note
from xinghe.generation.task import Means, Task
from xinghe.generation.thinking import think_note
from xinghe.generation.tools import ToolPlan, flatten
from xinghe.generation.tools import plan as plan_tools
from xinghe.generation.vetting import VettedForm, VettedTools
from xinghe.pictures import image_tokens, pictures_in


class Pass(msgspec.Struct, frozen=True):
    """One pass of an engine; `prompt` is what it makes of the messages.

    `native` are tools that the engine calls by itself, `tools` those that the platform makes it
    call, `structure` what its text must be.
    """

    prompt: Prompt
    messages: tuple[Message, ...]
    sampling: Sampling
    constraint: Constraint | None = None
    native: VettedTools | None = None
    tools: ToolPlan | None = None
    structure: VettedForm | None = None


class Counted(msgspec.Struct, frozen=True):
    """What an answer will read, but for what pictures show and a search will find.

    `picture_tokens` is what the pictures of the conversation cost, beside the text of `first`.
    """

    first: Pass
    picture_tokens: int

    @property
    def tokens(self) -> int:
        return self.first.prompt.tokens + self.picture_tokens

    @property
    def bound(self) -> int:
        """The most that the prompt can cost."""
        return self.first.prompt.bound + self.picture_tokens


async def count(means: Means, task: Task) -> Counted:
    """Lay out and count the first pass. Raises `DispatchFailed`."""
    messages = task.messages
    pictures = sum(image_tokens(one.width, one.height) for one in pictures_in(messages))
    if pictures:
        messages = tuple(replace(one, parts=()) for one in messages)
    return Counted(await first_pass(means, task, messages), pictures)


def thinks_first(means: Means, task: Task) -> bool:
    """Whether the platform lets the model think, as the engine does not by itself."""
    return bool(task.thinking) and not means.station.engine.abilities.thinks


async def first_pass(
    means: Means, task: Task, messages: tuple[Message, ...], note: str | None = None
) -> Pass:
    """The pass that thinks, or that decides whether to call, or that answers.

    `note` is what a pass before it has to tell, `None` if there was none.
    """
    if note is None and thinks_first(means, task):
        note = think_note(messages)
    if note:
        messages = with_note(messages, note)
    if not means.station.engine.abilities.tools:
        if task.tools is not None:
            assert task.tools.decision is not None
            tools = plan_tools(messages, task.tools.use, task.tools.decision)
            prompt = await _prompt(means, tools.messages)
            return Pass(prompt, tools.messages, tools.sampling, tools.constraint, tools=tools)
        messages = flatten(messages)
    return await answering(means, task, messages, native=task.tools)


async def answering(
    means: Means,
    task: Task,
    messages: tuple[Message, ...],
    constraint: Constraint | None = None,
    native: VettedTools | None = None,
) -> Pass:
    """The pass that answers in words, or in the form that was asked for.

    `constraint` holds where the request has no form of its own.
    """
    structure, sampling = task.structure, task.sampling
    if structure is not None:
        constraint = structure.constraint
        if structure.hint:
            messages = with_note(messages, structure.hint)
        # Penalties take the marks of JSON for repetition.
        sampling = replace(
            sampling, penalty_score=None, frequency_penalty=None, presence_penalty=None
        )
    prompt = await _prompt(means, messages, native)
    return Pass(prompt, messages, sampling, constraint, native, structure=structure)


async def continued(means: Means, said: Pass, opening: str) -> Pass:
    """The same pass once more, whose answer has begun with `opening` already."""
    return replace(said, prompt=await _prompt(means, said.messages, said.native, opening))


async def _prompt(
    means: Means,
    messages: tuple[Message, ...],
    native: VettedTools | None = None,
    opening: str = "",
) -> Prompt:
    use = native.use if native else None
    return await means.dispatcher.prepare(means.station, messages, use, opening)
