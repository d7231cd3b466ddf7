"""How one answer with functions is made: what the engine reads, and what it may write.

A model that needs no function does not write a word that says so: it begins to answer. So the
decision is free text against calls, in one grammar. Asked for a word (`reply`, `none`, `回答`),
the 1.5B model took that word's improbability for a reason to call, and erred in a quarter of the
questions that need no call; in this form it erred in none of them (`bench/tools.py`).
"""

from collections.abc import Sequence

import msgspec

from xinghe.core import Constraint, Message, Sampling, Tool, ToolUse
from xinghe.generation.structure import Unguaranteed
from xinghe.generation.tools.prompt import HEAD, LISTED, flatten, instructed

GREEDY = Sampling(temperature=0.0, frequency_penalty=0.0, presence_penalty=0.0)
"""The engine's own repeat penalty of 1.1 may stay: 35 of 40 held-out cases with it as without."""


class ToolPlan(msgspec.Struct, frozen=True):
    """One answer in one or two passes.

    The first decides: on `messages` under `constraint`, drawn as `sampling` says, whatever the
    request asks for. It ends by itself, after the calls or after the first few tokens of a reply.
    Where nothing was called, these tokens are dropped (and counted), and the second pass
    replies: on `plain`, without the examples of calls, with the request's own sampling, under
    `reply` or, where the request has one, its own constraint. `reply` is `None` where a call is
    certain: then there is no second pass. Where it is not `exact`, the constraint admits arguments
    that do not fit.
    """

    messages: tuple[Message, ...]
    plain: tuple[Message, ...]
    constraint: Constraint
    sampling: Sampling
    reply: Constraint | None
    names: tuple[str, ...]
    exact: bool


class Decision(msgspec.Struct, frozen=True):
    """What the functions of a request come to: grammars, and the lines that tell of them.

    `calls` holds the pass that decides, `reply` the one that replies (see `ToolPlan`).
    """

    calls: str
    reply: str | None
    functions: str
    exact: bool


def plan(messages: Sequence[Message], use: ToolUse, decision: Decision) -> ToolPlan:
    """How an answer to `messages` is made."""
    conversation = flatten(messages)
    return ToolPlan(
        messages=instructed(conversation, HEAD + decision.functions),
        plain=instructed(conversation, LISTED + decision.functions),
        constraint=Constraint(decision.calls),
        sampling=GREEDY,
        reply=None if decision.reply is None else Constraint(decision.reply, formal=False),
        names=tuple(tool.name for tool in use.tools if use.allows(tool.name)),
        exact=decision.exact,
    )


def offered(use: ToolUse, name: str) -> Tool | None:
    """The function that a call means, if the request offers it and allows that it is called."""
    return next((tool for tool in use.tools if tool.name == name and use.allows(name)), None)


def placed(number: int | None, error: Unguaranteed) -> Unguaranteed:
    """The same fault, its path starting from the request's field `tools`, if it is a function's."""
    if number is None:
        return error
    path = f"/{number}/function/parameters{error.path}"
    return Unguaranteed(error.keyword, path, error.reason)
