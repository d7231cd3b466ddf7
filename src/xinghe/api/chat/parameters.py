"""The parameters of section 4.1.2, with the ranges of the dialect and of the model's card."""

from __future__ import annotations

from typing import Any

import msgspec

from xinghe.api.chat.formats import Format, read_format
from xinghe.api.chat.messages import read_messages
from xinghe.api.chat.request import ChatRequest
from xinghe.api.chat.searching import WebSearch, read_search
from xinghe.api.chat.tools import read_tools
from xinghe.api.dialect import Dialect
from xinghe.api.end_user import read_user
from xinghe.api.errors import ApiError, Errors
from xinghe.api.fields import choice, flag, integer, number, obj, refuse, text
from xinghe.catalog import Capability, ModelCard
from xinghe.catalog.parameters import parameters
from xinghe.core import Sampling

OF_THE_CARD = ("max_completion_tokens", "max_tokens", "thinking_budget")
"""Their upper end is the model's own."""

STRUCTURED = (
    "model",
    "messages",
    "stream_options",
    "response_format",
    "tools",
    "functions",
    "tool_choice",
    "function_call",
    "web_search",
    "logit_bias",
)
"""Parameters that are more than one value of one range: each is read by its own function."""

KNOWN = frozenset([*STRUCTURED, *parameters()])


async def read_request(
    body: dict[str, Any],
    model: str,
    card: ModelCard,
    dialect: Dialect,
    able: frozenset[Capability],
    max_characters: int,
) -> ChatRequest:
    """Validate a body for a model that is known and permitted. Raises `ApiError`.

    `able` is what the model can do and its deployment delivers, `max_characters` what it takes.
    """
    user = read_user(body)
    values = _read_scalars(body, dialect)
    if obj(body, "logit_bias"):
        raise refuse("logit_bias", body["logit_bias"], "an empty object")
    stream = bool(values["stream"])
    options = obj(body, "stream_options")
    if options and not stream:
        raise refuse("stream_options", "an object", "only together with stream: true")
    ignored = [name for name in body if name not in KNOWN and body[name] is not None]
    thinking, effort = _thinking(body, values, card, ignored)
    tools, wanted, search = read_tools(body), read_format(body), read_search(body, ignored)
    stops = _stops(body, dialect)
    if stops and wanted is not None:
        # A stop string would break off the very JSON that is promised.
        raise refuse("stop", body["stop"], "nothing while response_format asks for JSON")
    if tools is not None and wanted is not None and tools.choice == "required":
        raise refuse("tool_choice", body["tool_choice"], "auto or none with a response_format")
    return ChatRequest(
        model=model,
        card=card,
        messages=await read_messages(body, model, card, dialect, able),
        sampling=_sampling(values, card, dialect, ignored),
        max_tokens=_max_tokens(body, card, dialect),
        thinking=thinking,
        effort=effort,
        stops=stops,
        stream=stream,
        include_usage=bool(flag(options, "include_usage", "stream_options.include_usage")),
        user=user,
        functions=_functions(body, max_characters),
        tools=tools,
        format=wanted,
        search=search,
        wants=_wants(body, wanted, search),
        ignored=tuple(ignored),
    )


def _read_scalars(body: dict[str, Any], dialect: Dialect) -> dict[str, Any]:
    """Every parameter of the catalog's table, `None` where it was not sent."""
    openai = dialect is Dialect.OPENAI
    values: dict[str, Any] = {}
    for name, parameter in parameters().items():
        limits = parameter.range(openai=openai)
        match parameter.kind:
            case "number" if limits:
                values[name] = number(body, name, *limits)
            case "integer" if limits and name not in OF_THE_CARD:
                values[name] = integer(body, name, *limits)
            case "boolean":
                values[name] = flag(body, name, only=parameter.only)
            case "string" if limits:
                values[name] = text(body, name, *limits)
            case "choice":
                values[name] = choice(body, name, parameter.choices)
    return values


def _wants(
    body: dict[str, Any], wanted: Format | None, search: WebSearch | None
) -> tuple[tuple[str, Capability], ...]:
    """The parameters that ask for more than plain text, and what they need."""
    wants: list[tuple[str, Capability]] = []
    wants += [(name, Capability.TOOLS) for name in ("tools", "functions") if body.get(name)]
    if search is not None:
        wants.append(("web_search.enable", Capability.WEB_SEARCH))
    if wanted is not None:
        wants.append(("response_format", wanted.capability))
    return tuple(wants)


def _thinking(
    body: dict[str, Any], values: dict[str, Any], card: ModelCard, ignored: list[str]
) -> tuple[int, float]:
    """The most tokens of the chain of thought (0: the model shows none), and the share wanted."""
    if Capability.REASONING not in card.capabilities:
        integer(body, "thinking_budget", 1, 2**31 - 1)
        ignored += [name for name in ("thinking_budget", "reasoning_effort") if body.get(name)]
        return 0, 1.0
    budget = integer(body, "thinking_budget", 1, card.reasoning_max)
    if budget is not None:
        return budget, 1.0
    efforts = parameters()["reasoning_effort"].choices
    return card.reasoning_max, efforts.get(values["reasoning_effort"], 1.0)


def _functions(body: dict[str, Any], most: int) -> str:
    given = [body[field] for field in ("tools", "functions") if body.get(field)]
    characters = _characters(given)
    if characters > most:
        raise too_many_characters(most, characters, of="its functions have")
    return msgspec.json.encode(given).decode() if given else ""


def _characters(value: list[Any]) -> int:
    """Of all strings in it. A body has few enough values to look at each."""
    characters = 0
    todo: list[Any] = [value]
    while todo:
        node = todo.pop()
        for each in [*node, *node.values()] if isinstance(node, dict) else node:
            if isinstance(each, str):
                characters += len(each)
            elif isinstance(each, list | dict):
                todo.append(each)
    return characters


def too_many_characters(most: int, characters: int, *, of: str = "the request has") -> ApiError:
    return ApiError(
        Errors.CHARACTERS_TOO_LONG,
        f"the max input characters is {most}, {of} {characters}",
        param="messages",
    )


def _sampling(
    values: dict[str, Any], card: ModelCard, dialect: Dialect, ignored: list[str]
) -> Sampling:
    """The sampling parameters, without those that the model does not support."""
    chosen: dict[str, Any] = {}
    for name, parameter in parameters().items():
        if not parameter.sampling:
            continue
        value = values[name]
        if name in card.ignores:
            if value is not None:
                ignored.append(name)
            value = None
        elif value is None and dialect is Dialect.DOCUMENTED:
            value = parameter.default
        chosen[name] = value
    return Sampling(**chosen)


def _max_tokens(body: dict[str, Any], card: ModelCard, dialect: Dialect) -> int:
    sent: dict[str, int] = {}
    for name in ("max_completion_tokens", "max_tokens"):
        limits = parameters()[name].range(openai=dialect is Dialect.OPENAI)
        assert limits is not None
        value = integer(body, name, limits[0], card.output_max)
        if value is not None:
            sent[name] = value
    if len(set(sent.values())) > 1:
        raise refuse(
            "max_tokens", sent["max_tokens"], "the same as max_completion_tokens, its alias"
        )
    return next(iter(sent.values()), card.output_default)


def _stops(body: dict[str, Any], dialect: Dialect) -> tuple[str, ...]:
    value = body.get("stop")
    if value is None:
        return ()
    parameter = parameters()["stop"]
    limits = parameter.range(openai=dialect is Dialect.OPENAI)
    assert limits is not None
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or len(stops) > parameter.items:
        raise refuse("stop", value, f"a string or a list of up to {parameter.items} strings")
    for at, stop in enumerate(stops):
        field = f"stop[{at}]" if value is stops else "stop"
        if not isinstance(stop, str) or not stop:
            raise refuse(field, stop, "a string that is not empty")
        if not limits[0] <= len(stop) <= limits[1]:
            raise refuse(field, stop, f"at most {limits[1]} characters, it has {len(stop)}")
    return tuple(stops)
