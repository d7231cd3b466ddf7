"""Checks functions for an engine that calls by its own means, and the calls that it made."""

from __future__ import annotations

from collections.abc import Callable

from xinghe.core import Tool, ToolUse
from xinghe.generation.structure import Unguaranteed
from xinghe.generation.structure.canonical import validator
from xinghe.generation.structure.effort import within_effort
from xinghe.generation.structure.limits import within_limits
from xinghe.generation.structure.strict import parse
from xinghe.generation.tools.grammar import closed, placed


def ignored(_number: int) -> None:
    """For who does not ask how far it is."""


def vet(use: ToolUse, begun: Callable[[int], None] = ignored) -> None:
    """Raise `Unguaranteed` for parameters that no call could be held against.

    Its path is a JSON Pointer into the request's `tools`. `begun` hears each function's number.
    Takes about 0.1 ms a function, but hostile ones may take any time: not for the gateway.
    """
    for number, tool in enumerate(use.tools):
        begun(number)
        try:
            schema = closed(tool.parameters)
            within_limits(schema)
            validator(schema)
            within_effort(schema)
        except Unguaranteed as error:
            raise placed(number, error) from None


def offered(use: ToolUse, name: str) -> Tool | None:
    """The function that a call means, if the request offers it (and did not demand another)."""
    called = (tool for tool in use.tools if tool.name == name and use.name in {None, name})
    return next(called, None)


def arguments_fault(check: Callable[[str], str | None], arguments: str) -> str | None:
    """What is wrong with a call's arguments beside what `check` says, `None` if nothing is."""
    try:
        if not isinstance(parse(arguments), dict):
            return "not an object"
    except ValueError as error:
        return str(error)
    return check(arguments)
