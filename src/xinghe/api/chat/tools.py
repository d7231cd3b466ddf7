"""`tools`, `tool_choice` and `parallel_tool_calls` (sections 4.1.2 and 5.6)."""

from __future__ import annotations

import re
from typing import Any

from xinghe.api.errors import ApiError, Errors
from xinghe.api.fields import obj, refuse, shown
from xinghe.core import Tool, ToolUse

MAX_TOOLS = 128
NAME = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
CHOICES = ("none", "auto", "required")


def read_tools(body: dict[str, Any]) -> ToolUse | None:
    """How tools may be used; `None` where there are none or `tool_choice` is none.

    Raises `ApiError`.
    """
    _check_legacy(body)
    value = body.get("tools")
    if value is not None and not isinstance(value, list):
        raise refuse("tools", value, "a list of tools")
    choice, name = _read_choice(body)
    if not value:
        if choice == "required":
            raise refuse(
                "tool_choice", body["tool_choice"], "none or auto while no tools are given"
            )
        return None
    if len(value) > MAX_TOOLS:
        raise _wrong("tools", f"has {len(value)} tools, allowed: at most {MAX_TOOLS}")
    tools = tuple(_read_tool(f"tools[{at}]", tool) for at, tool in enumerate(value))
    names = [tool.name for tool in tools]
    for tool_name in names:
        if names.count(tool_name) > 1:
            raise _wrong("tools", f"holds {tool_name!r} twice, allowed: each name once")
    if name is not None and name not in names:
        raise refuse("tool_choice.function.name", name, f"one of {', '.join(names)[:300]}")
    if choice == "none":
        return None
    parallel = body.get("parallel_tool_calls") is not False
    return ToolUse(tools, "required" if choice == "required" else "auto", name, parallel)


def _check_legacy(body: dict[str, Any]) -> None:
    """What the tools' parameters were called before; `functions` is refused after moderation."""
    functions = body.get("functions")
    if functions is not None and not isinstance(functions, list):
        raise refuse("functions", functions, "a list; tools took its place")
    if body.get("function_call") not in (None, "none", "auto"):
        raise refuse("function_call", body["function_call"], "tool_choice, which took its place")


def _read_choice(body: dict[str, Any]) -> tuple[str, str | None]:
    """The mode, and the one function that is demanded, if any."""
    value = body.get("tool_choice")
    if value is None:
        return "auto", None
    if isinstance(value, str):
        if value not in CHOICES:
            raise refuse("tool_choice", value, f"{', '.join(CHOICES)}, or an object")
        return value, None
    if not isinstance(value, dict):
        raise refuse("tool_choice", value, f"{', '.join(CHOICES)}, or an object")
    if value.get("type") != "function":
        raise refuse("tool_choice.type", value.get("type"), '"function"')
    name = obj(value, "function").get("name")
    if not isinstance(name, str) or not name:
        raise refuse("tool_choice.function.name", name, "the name of one of the tools")
    return "required", name


def _read_tool(where: str, value: Any) -> Tool:
    if not isinstance(value, dict):
        raise _wrong(where, f"is {shown(value)}, allowed: an object")
    if value.get("type", "function") != "function":
        raise _wrong(f"{where}.type", f'is {shown(value["type"])}, allowed: "function"')
    function = value.get("function")
    if not isinstance(function, dict):
        raise _wrong(f"{where}.function", f"is {shown(function)}, allowed: an object")
    name, description = function.get("name"), function.get("description")
    if not isinstance(name, str) or NAME.fullmatch(name) is None:
        raise _wrong(
            f"{where}.function.name",
            f"is {shown(name)}, allowed: 1 to 64 letters, digits, dots, underscores and hyphens",
        )
    if description is not None and not isinstance(description, str):
        raise _wrong(f"{where}.function.description", f"is {shown(description)}, allowed: a string")
    schema = function.get("parameters")
    if schema is not None and not isinstance(schema, dict):
        raise _wrong(
            f"{where}.function.parameters",
            f"is {shown(schema)}, allowed: a JSON Schema of type object",
        )
    return Tool(name, description or "", schema or {})


def _wrong(field: str, rule: str) -> ApiError:
    return ApiError(Errors.MALFORMED_JSON, f"{field} {rule}", param="tools")
