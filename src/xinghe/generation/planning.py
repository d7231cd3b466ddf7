"""What one request wants of generation, and how a pass of it is laid out and counted."""

from collections.abc import Sequence
from typing import Protocol

import msgspec
from msgspec.structs import replace

from xinghe.core import Constraint, Message, Picture, Prompt, Sampling, Thinking
from xinghe.dispatch import ChatDeployment
from xinghe.engines import NOT_TO_THINK
from xinghe.generation.json_check import Walker
from xinghe.generation.search import Searcher, SearchOptions
from xinghe.generation.tools import ToolPlan, flatten
from xinghe.generation.tools import plan as plan_tools
from xinghe.generation.vetting import VettedForm, VettedTools
from xinghe.pictures import Description, image_tokens, pictures_in
from xinghe.safety import Moderator

SEARCH_FRAME = 512
"""The most tokens of what the platform says around the results of a search."""
_THINK = {
    True: "(先不要回答。一步一步地推算,每行只写一步和它的结果;不复述问题,不写标题和客套话。)",
    False: "(Do not answer yet. Work it out step by step, one step and its result on each line; do "
    "not repeat the question, no headings, no pleasantries.)",
}
"""Asks a model that gives no thoughts by itself for them, and for nothing else."""
_THOUGHT = {
    True: "(你已经这样思考过了,用户看不到这些:\n{thought}\n\n现在直接回答,不要重复思考过程。)",
    False: "(You have thought about it like this, which the user does not see:\n{thought}\n\nNow "
    "answer directly, without repeating the thoughts.)",
}


class Reader(Protocol):
    """Reads pictures for engines without vision; see `pictures.PictureReader`."""

    async def describe(self, picture: Picture, max_characters: int = ...) -> Description: ...


class GenerationContext(msgspec.Struct, frozen=True):
    """What answers are made with; it lives as long as the process."""

    moderator: Moderator
    searcher: Searcher
    reader: Reader
    vetting: Walker


class GenerationRequest(msgspec.Struct, frozen=True):
    """A chat request as generation sees it, and the deployment that serves it.

    `max_tokens` bounds the answer, `thinking` the chain of thought before it (0: none). With
    `structure`, the answer is JSON; with `tools`, it may be calls. `search_budget` is how many
    tokens of what a search finds the engine reads. `account` is the one that asks. `whole`: nobody
    sees any of it before its end. `has_stand_in`: another deployment would take it. `asked` is what
    the request says of the chain of thought, and `logprobs` of those of the answer's tokens.
    """

    request_id: str
    deployment: ChatDeployment
    messages: tuple[Message, ...]
    sampling: Sampling
    max_tokens: int
    thinking: int = 0
    stops: tuple[str, ...] = ()
    tools: VettedTools | None = None
    structure: VettedForm | None = None
    search: SearchOptions | None = None
    search_budget: int = 0
    preemptible: bool = False
    account: int | None = None
    whole: bool = False
    has_stand_in: bool = False
    asked: Thinking = Thinking()
    logprobs: int | None = None

    @property
    def thinks_first(self) -> bool:
        """Whether the platform lets the model think, as the engine does not by itself."""
        return self.thinking > 0 and not self.deployment.engine.abilities.thinks

    @property
    def keeps_to_grammars(self) -> bool:
        """Whether the engine is held to grammars, and goes on from a given beginning."""
        return self.deployment.engine.abilities.constraints == "grammar"

    @property
    def search_bound(self) -> int:
        """The most tokens that a search adds to the prompt: the budget counts by an estimate."""
        return 2 * self.search_budget + SEARCH_FRAME if self.search is not None else 0


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

    `tokens` is what it costs unless the engine reports otherwise, `bound` the most that it can
    cost. `charge` is what it costs whatever the engine counts: set where pictures are in it, which
    have a price of their own.
    """

    first: Pass
    tokens: int
    bound: int
    charge: int | None = None


async def count(request: GenerationRequest) -> Counted:
    """Lay out and count the first pass. Raises `DispatchFailed`."""
    messages = request.messages
    if not any(one.parts for one in messages):
        first = await first_pass(request, messages)
        return Counted(first, first.prompt.tokens, first.prompt.bound)
    pictures = sum(image_tokens(one.width, one.height) for one in pictures_in(messages))
    first = await first_pass(request, tuple(replace(one, parts=()) for one in messages))
    tokens = first.prompt.tokens + pictures
    return Counted(first, tokens, first.prompt.bound + pictures, tokens)


async def first_pass(
    request: GenerationRequest, messages: tuple[Message, ...], note: str | None = None
) -> Pass:
    """The pass that thinks, or that decides whether to call, or that answers.

    `note` is what a pass before it has to tell, `None` if there was none.
    """
    thinks = note is None and request.thinks_first
    if thinks:
        note = _THINK[is_chinese(messages)]
    if note:
        messages = _with_note(messages, note)
    if not request.deployment.engine.abilities.tools:
        if request.tools is not None:
            assert request.tools.decision is not None
            tools = plan_tools(messages, request.tools.use, request.tools.decision)
            read = tools.plain if thinks else tools.messages
            return Pass(
                await request.deployment.prepare(read, asked=_asked(request, tools.constraint)),
                read,
                tools.sampling,
                tools.constraint,
                tools=tools,
            )
        messages = flatten(messages)
    return await answering(request, messages, native=request.tools)


async def answering(
    request: GenerationRequest,
    messages: tuple[Message, ...],
    constraint: Constraint | None = None,
    native: VettedTools | None = None,
) -> Pass:
    """The pass that answers in words, or in the form that was asked for.

    `constraint` holds where the request has no form of its own.
    """
    structure, sampling = request.structure, request.sampling
    if structure is not None:
        constraint = structure.constraint
        if structure.hint:
            messages = _with_note(messages, structure.hint)
        # Penalties take the marks of JSON for repetition.
        sampling = replace(
            sampling, penalty_score=None, frequency_penalty=None, presence_penalty=None
        )
    use, asked = native.use if native else None, _asked(request, constraint)
    prompt = await request.deployment.prepare(messages, use, asked=asked)
    return Pass(prompt, messages, sampling, constraint, native, structure=structure)


async def continued(request: GenerationRequest, said: Pass, opening: str) -> Pass:
    """The same pass once more, whose answer has begun with `opening` already."""
    use = said.native.use if said.native else None
    asked = _asked(request, said.constraint)
    prompt = await request.deployment.prepare(said.messages, use, opening, asked=asked)
    return replace(said, prompt=prompt)


def _asked(request: GenerationRequest, constraint: Constraint | None) -> Thinking:
    """What the prompt says of the chain of thought: a grammar holds from the first token on, and
    has none.
    """
    held = constraint is not None and request.keeps_to_grammars
    return NOT_TO_THINK if held else request.asked


def _with_note(messages: Sequence[Message], note: str) -> tuple[Message, ...]:
    """The conversation with a note after the last question.

    At the end, so that what comes before is the same with and without it, and the engine's
    prefix cache serves both.
    """
    last = messages[-1]
    if last.role != "user":
        return (*messages, Message("user", note))
    content = f"{last.content}\n\n{note}"
    parts = (*last.parts, f"\n\n{note}") if last.parts else ()
    return (*messages[:-1], replace(last, content=content, parts=parts))


def is_chinese(messages: Sequence[Message]) -> bool:
    """Whether the last question is in Chinese: in what language the model is spoken to."""
    return any("\u4e00" <= char <= "\u9fff" for char in messages[-1].content)


def thought_note(messages: Sequence[Message], thought: str) -> str:
    """Hands the thoughts on to the pass that answers."""
    return _THOUGHT[is_chinese(messages)].format(thought=thought)
