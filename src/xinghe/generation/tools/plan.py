"""How one answer with functions is made: what the engine reads, what it may write, who reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from xinghe.core import Constraint, Message, Sampling, ToolUse
from xinghe.generation.structure import Unguaranteed
from xinghe.generation.tools import grammar
from xinghe.generation.tools.check import ignored
from xinghe.generation.tools.prompt import instructed, told
from xinghe.generation.tools.reader import CallReader

GREEDY = Sampling(temperature=0.0, frequency_penalty=0.0, presence_penalty=0.0)
"""The engine's own repeat penalty of 1.1 may stay: 35 of 40 held-out cases with it as without."""


class ToolPlan(msgspec.Struct, frozen=True):
    """One answer in one or two passes over the same prompt.

    The first decides: on `messages` under `constraint`, drawn as `sampling` says, whatever the
    request asks for. It ends by itself, after the calls or after the first few tokens of a reply.
    If its reader has not `called`, these tokens are dropped (and counted), and the second pass
    replies: on the same messages, all in the engine's prefix cache, with the request's own
    sampling, under `reply` or, where the request has one, its own constraint. `reply` is `None`
    where a call is certain: then there is no second pass.
    """

    messages: tuple[Message, ...]
    constraint: Constraint
    sampling: Sampling
    reply: Constraint | None
    names: tuple[str, ...]

    def reader(self) -> CallReader:
        """A reader for one run of the first pass."""
        return CallReader(self.names)


class Decision(msgspec.Struct, frozen=True):
    """What the functions of a request come to: grammars, and the text that tells of them.

    `calls` holds the pass that decides, `reply` the one that replies (see `ToolPlan`).
    """

    calls: str
    reply: str | None
    head: str


def decide(use: ToolUse, *, max_tokens: int, begun: Callable[[int], None] = ignored) -> Decision:
    """For an answer of at most `max_tokens` tokens; `begun` hears each function's number.

    Raises `Unguaranteed` for parameters that no grammar can guarantee; its path is a JSON Pointer
    into the request's `tools`. Takes up to 4 ms a function, but hostile ones may take any time:
    not for the gateway.
    """
    allowed, grammars = [], []
    for number, tool in enumerate(use.tools):
        if use.name not in {None, tool.name}:
            continue
        begun(number)
        allowed.append(tool)
        try:
            grammars.append(grammar.arguments(tool, max_tokens=max_tokens))
        except Unguaranteed as error:
            raise grammar.placed(number, error) from None
    free = use.choice == "auto"
    calls = grammar.decision(allowed, grammars, free=free, several=use.parallel)
    return Decision(calls, grammar.reply(allowed) if free else None, told(use.tools))


def plan(messages: Sequence[Message], use: ToolUse, decision: Decision) -> ToolPlan:
    """How an answer to `messages` is made."""
    return ToolPlan(
        messages=instructed(messages, decision.head),
        constraint=Constraint(decision.calls),
        sampling=GREEDY,
        reply=None if decision.reply is None else Constraint(decision.reply, formal=False),
        names=tuple(tool.name for tool in use.tools if use.name in {None, tool.name}),
    )
