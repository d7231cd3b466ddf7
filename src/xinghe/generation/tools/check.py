"""Checks calls that an engine made by its own means."""

from __future__ import annotations

from xinghe.core import ToolUse
from xinghe.generation.structure import Unguaranteed
from xinghe.generation.structure.canonical import validator
from xinghe.generation.structure.strict import checker, parse


def check_call(use: ToolUse, name: str, arguments: str) -> str | None:
    """What is wrong with a call, or `None`.

    A function that the request does not offer (or did not demand), arguments that are not strict
    JSON, no object, or against the function's schema, or a schema that nothing can be held
    against.
    """
    offered = {tool.name: tool for tool in use.tools if use.name in {None, tool.name}}
    if name not in offered:
        return f"there is no function {name!r} to call"
    try:
        if not isinstance(parse(arguments), dict):
            return f"the arguments of {name!r} are not an object"
        fault = checker(validator(offered[name].parameters))(arguments)
    except (ValueError, Unguaranteed) as error:
        return f"the arguments of {name!r} cannot be taken: {error}"
    return fault and f"the arguments of {name!r} break their schema at {fault}"
