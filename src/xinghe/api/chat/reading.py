"""From the body of a chat to a `ChatRequest`: what the model's card makes of what was sent."""

from collections.abc import Collection
from operator import attrgetter
from typing import Any

import msgspec

from xinghe.api.chat.messages import check_able, read_messages
from xinghe.api.chat.request import ChatRequest, Format, functions_text, supported
from xinghe.api.chat.schema import (
    DEFAULTS,
    AllowedTools,
    ChatBody,
    NamedTool,
    ResponseFormat,
    ToolChoice,
    WebSearch,
)
from xinghe.api.chat.thinking import bounded, longest, sent_switches, thinking_of
from xinghe.api.dialect import Dialect
from xinghe.api.errors import ApiError, Errors, refuse
from xinghe.api.validation import ParsedBody
from xinghe.catalog import Capability, ModelCard
from xinghe.core import Sampling, Tool, ToolUse
from xinghe.generation.search import SearchOptions

PARTS = attrgetter("parts")
ABOUT = {"name": str, "description": str, "strict": bool}
"""What OpenAI's nesting says of a schema."""


async def read_request(
    parsed: ParsedBody[ChatBody],
    model: str,
    card: ModelCard,
    dialect: Dialect,
    able: frozenset[Capability],
    max_characters: int,
) -> ChatRequest:
    """What is asked of a model that is known and permitted. Raises `ApiError`.

    `able` is what the model can do and its deployment delivers, `max_characters` what it takes.
    """
    ignored, adjusted = list(parsed.ignored), list[str]()
    body = _checked(parsed, model, card, dialect, able, adjusted)
    asked, switches = thinking_of(body, card, dialect, adjusted), sent_switches(body)
    thinking, effort = bounded(asked, card, dialect, switches, ignored)
    _, max_tokens = _either(body, "max_tokens", "max_completion_tokens")
    tools = _tools(body) if body.tools or body.tool_choice else None
    wanted = _format(body.response_format) if body.response_format else None
    search = _search(body.web_search) if body.web_search else None
    stops = (body.stop,) if isinstance(body.stop, str) else tuple(body.stop or ())
    wants: list[tuple[str, Capability]] = []
    if body.tools:
        wants.append(("tools", Capability.TOOLS))
    if body.functions:
        wants.append(("functions", Capability.TOOLS))
    if search is not None:
        wants.append(("web_search.enable", Capability.WEB_SEARCH))
    if wanted is not None:
        wants.append(("response_format", wanted.capability))
        if stops:
            # A stop string would break off the very JSON that is promised.
            raise refuse("stop", body.stop, "nothing while response_format asks for JSON")
        if tools is not None and tools.choice == "required":
            raise refuse("tool_choice", body.tool_choice, "auto or none with a response_format")
    messages = await read_messages(body, model, card, dialect, able)
    return ChatRequest(
        model=model,
        card=card,
        messages=messages,
        shows=any(map(PARTS, messages)),
        sampling=_sampling(body, card, dialect, ignored),
        max_tokens=card.output_default if max_tokens is None else max_tokens,
        thinking=thinking,
        effort=effort,
        asked=asked,
        switches=tuple(switches),
        stops=stops,
        stream=bool(body.stream),
        include_usage=_include_usage(body) if body.stream_options else False,
        user=body.end_user,
        functions=(
            functions_text(parsed.body.get("tools"), body.functions, max_characters)
            if body.tools or body.functions
            else ""
        ),
        tools=tools,
        format=wanted,
        search=search,
        wants=tuple(wants),
        ignored=tuple(ignored),
        adjusted=tuple(adjusted),
        n=body.n or 1,
        logprobs=_logprobs(body, dialect),
    )


def _checked(
    parsed: ParsedBody[ChatBody],
    model: str,
    card: ModelCard,
    dialect: Dialect,
    able: frozenset[Capability],
    adjusted: list[str],
) -> ChatBody:
    """The body in its ranges, those of the model's card included.

    At `/v1` a length above the model's own is brought down to it, and is `adjusted`.
    """
    most = {"max_completion_tokens": card.output_max, "max_tokens": card.output_max}
    if thought := longest(card, dialect):
        most["thinking_budget"] = thought
    try:
        return parsed.checked(most, adjusted if dialect is Dialect.OPENAI else None)
    except ApiError as error:
        if error.param == "messages":
            check_able(parsed.body.get("messages"), model, dialect, able)
        raise


def _include_usage(body: ChatBody) -> bool:
    options = body.stream_options or {}
    if not body.stream:
        raise refuse("stream_options", options, "only together with stream: true")
    include_usage = options.get("include_usage")
    if not isinstance(include_usage, bool | None):
        raise refuse("stream_options.include_usage", include_usage, "true or false")
    return bool(include_usage)


def _sampling(body: ChatBody, card: ModelCard, dialect: Dialect, ignored: list[str]) -> Sampling:
    sent = {name: getattr(body, name) for name in Sampling.__struct_fields__}
    defaults = DEFAULTS if dialect is Dialect.DOCUMENTED else {}
    return supported(sent, card, ignored, defaults)


def _logprobs(body: ChatBody, dialect: Dialect) -> int | None:
    """How many likely tokens are to be told of beside each; `None`: of none, nor of itself."""
    if body.logprobs and dialect is Dialect.DOCUMENTED:
        raise refuse("logprobs", body.logprobs, "false")
    if body.top_logprobs and not body.logprobs:
        raise refuse("top_logprobs", body.top_logprobs, "only together with logprobs: true")
    return (body.top_logprobs or 0) if body.logprobs else None


def _tools(body: ChatBody) -> ToolUse | None:
    """How tools may be used; `None` where there are none or `tool_choice` is none."""
    asked = body.tool_choice
    choice: str = (asked.type if isinstance(asked, ToolChoice) else asked) or "auto"
    if not body.tools:
        if choice not in {"none", "auto"}:
            raise refuse("tool_choice", asked, "none or auto while no tools are given")
        return None
    tools: dict[str, Tool] = {}
    for each in (tool.function for tool in body.tools):
        if each.name in tools:
            raise ApiError(
                Errors.MALFORMED_JSON,
                f"tools holds {each.name!r} twice, allowed: each name once",
                param="tools",
            )
        parameters = each.parameters or {}
        tools[each.name] = Tool(each.name, each.description or "", parameters, each.strict)
    only = None
    if isinstance(asked, ToolChoice) and choice == "function":
        only = frozenset({_named(asked, "tool_choice", tools)})
    elif isinstance(asked, ToolChoice) and choice == "allowed_tools":
        choice, only = _allowed(asked, tools)
    if choice == "none":
        return None
    return ToolUse(
        tuple(tools.values()),
        "auto" if choice == "auto" else "required",
        only,
        body.parallel_tool_calls,
    )


def _allowed(asked: ToolChoice, tools: Collection[str]) -> tuple[str, frozenset[str]]:
    """The mode, and the names of the tools that may be called."""
    where, allowed = "tool_choice.allowed_tools", asked.allowed_tools
    if allowed is None:
        if asked.mode is None or asked.tools is None:
            raise refuse(where, None, "an object {mode, tools}, or mode and tools beside type")
        where, allowed = "tool_choice", AllowedTools(asked.mode, asked.tools)
    return allowed.mode, frozenset(
        _named(each, f"{where}.tools[{at}]", tools) for at, each in enumerate(allowed.tools)
    )


def _named(asked: NamedTool | ToolChoice, where: str, tools: Collection[str]) -> str:
    """The name of one of the tools, as it stands at `where`."""
    field, name = f"{where}.function.name", asked.name
    if asked.function is not None:
        name = asked.function.name
    elif name is not None:
        field = f"{where}.name"
    if name is None or name not in tools:
        raise refuse(field, name, f"one of {', '.join(tools)[:300]}")
    return name


def _format(asked: str | ResponseFormat) -> Format | None:
    """What an answer must be; `None` for text."""
    kind = asked.type if isinstance(asked, ResponseFormat) else asked
    if kind == "text":
        return None
    if kind == "json_object":
        schema = asked.schema if isinstance(asked, ResponseFormat) else None
        return Format(Capability.JSON_OBJECT, schema)
    assert isinstance(asked, ResponseFormat)
    where, schema, about = "response_format.json_schema", asked.json_schema, dict[str, Any]()
    if schema is not None and "schema" in schema:
        about = {
            name: schema[name] for name, kind in ABOUT.items() if type(schema.get(name)) is kind
        }
        where, schema = f"{where}.schema", schema["schema"]
    if not isinstance(schema, dict):
        raise ChatBody.refusal(where, schema, "a JSON Schema, or an object {name, schema, strict}")
    return Format(Capability.JSON_SCHEMA, schema, about)


def _search(asked: WebSearch) -> SearchOptions | None:
    """The options; `None` where no search is wanted."""
    _, most = _either(asked, "search_num", "search_number", "web_search.")
    name, read = _either(asked, "reference_num", "reference_number", "web_search.")
    most = SearchOptions().search_number if most is None else most
    if read is not None and read > most:
        raise refuse(name, read, f"an integer in [1, {most}], the search_num")
    if not asked.enable:
        return None
    return SearchOptions(
        citation=bool(asked.enable_citation),
        trace=bool(asked.enable_trace),
        status=bool(asked.enable_status),
        search_number=most,
        reference_number=min(SearchOptions().reference_number, most) if read is None else read,
    )


def _either(of: msgspec.Struct, name: str, alias: str, within: str = "") -> tuple[str, int | None]:
    """A number under either of its names, and the name under which it came."""
    value, other = getattr(of, name), getattr(of, alias)
    if None not in (value, other) and value != other:
        raise refuse(within + name, value, f"the same as {alias}, its alias")
    return (within + name, value) if other is None else (within + alias, other)
