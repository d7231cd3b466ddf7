"""The tools of a request in Anthropic's form: functions of the client's, and our web search."""

import msgspec

from xinghe.api.errors import refuse, shown, unsupported
from xinghe.api.messages.schema import CountTokensRequest, ToolChoiceParam, ToolParam
from xinghe.core import Tool, ToolUse
from xinghe.generation.search import SearchOptions

SEARCHES = "web_search_"
"""What the types of Anthropic's web search begin with; a date follows."""
SEARCH = SearchOptions(citation=True, trace=True, status=True)


class Offered(msgspec.Struct, frozen=True):
    """The tools of a request; `numbers` are those of its functions among all.

    `cached` tells that one of them is marked for it.
    """

    use: ToolUse | None = None
    numbers: tuple[int, ...] = ()
    search: SearchOptions | None = None
    cached: bool = False


def offered_tools(body: CountTokensRequest) -> Offered:
    """How tools may be used. Raises `ApiError`."""
    tools, numbers, searches = dict[str, Tool](), list[int](), set[str]()
    sent = body.tools or []
    for number, each in enumerate(sent):
        where = f"tools[{number}]"
        if each.type is not None and each.type.startswith(SEARCHES):
            searches.add(each.name or "web_search")
            continue
        tool = _function(where, each)
        if tool.name in tools:
            raise refuse(f"{where}.name", tool.name, "each name once")
        tools[tool.name] = tool
        numbers.append(number)
    choice = body.tool_choice or ToolChoiceParam("auto")
    only = None
    if choice.type == "tool" and choice.name not in searches:
        if choice.name not in tools:
            raise refuse("tool_choice.name", choice.name, f"one of {', '.join(tools)[:300]}")
        only = frozenset({choice.name})
    elif choice.type == "any" and not sent:
        raise refuse("tool_choice.type", choice.type, "none or auto while no tools are given")
    cached = any(each.cache_control is not None for each in sent)
    if choice.type == "none":
        return Offered(cached=cached)
    use = None
    if tools:
        required = only is not None or (choice.type == "any" and not searches)
        parallel = False if choice.disable_parallel_tool_use else None
        use = ToolUse(tuple(tools.values()), "required" if required else "auto", only, parallel)
    return Offered(use, tuple(numbers), SEARCH if searches else None, cached)


def _function(where: str, sent: ToolParam) -> Tool:
    if sent.type not in (None, "custom"):
        raise unsupported(
            "tools",
            f"{where}.type is {shown(sent.type)}, a tool that this service lacks, allowed: "
            f"custom, or {SEARCHES}… with a date",
        )
    if sent.name is None:
        raise refuse(f"{where}.name", None, "the name of the tool")
    if sent.input_schema is None:
        raise refuse(f"{where}.input_schema", None, "a JSON Schema")
    return Tool(sent.name, sent.description or "", sent.input_schema, sent.strict)
