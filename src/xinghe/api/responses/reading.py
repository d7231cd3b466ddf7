"""From the body of a request to `/responses` to a `ChatRequest`."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from xinghe.api.chat.request import ChatRequest, Fields, Format, functions_text, supported
from xinghe.api.chat.thinking import bounded
from xinghe.api.dialect import Dialect
from xinghe.api.errors import refuse
from xinghe.api.responses.carried import ENCRYPTED
from xinghe.api.responses.conversation import Conversation
from xinghe.api.responses.items import Item
from xinghe.api.responses.schema import (
    PAIRS,
    JsonObjectFormat,
    JsonSchemaFormat,
    Reasoning,
    ResponseRequest,
    TextOptions,
    invalid,
)
from xinghe.api.responses.tools import CustomTool, Tools, WebSearchTool, read_tools, tool_use
from xinghe.api.validation import ParsedBody
from xinghe.catalog import Capability, ModelCard
from xinghe.core import Message, Thinking
from xinghe.generation.search import SearchOptions

SEARCHED = {"low": 5, "medium": 10, "high": 20}
"""Documents that a search looks for and reads, by `search_context_size`."""
SAMPLING = ("temperature", "top_p", "frequency_penalty", "presence_penalty")
NO_EFFECT = ("max_tool_calls", "truncation", "prompt_cache_key", "service_tier")
"""Known, and of no consequence."""
SOURCES = "web_search_call.action.sources"
LOGPROBS = "message.output_text.logprobs"
INCLUDED = frozenset({SOURCES, ENCRYPTED, LOGPROBS})
"""What `include` may name to some effect."""


class History(Protocol):
    """The responses that are kept, as one member sees them; see `keeping.History`."""

    async def before(self, name: str | None) -> list[Item]: ...

    async def resolved(self, items: Sequence[Item]) -> Sequence[Item]: ...


class CheckedRequest(msgspec.Struct, frozen=True):
    """A request that passed validation: what was sent, and what it means."""

    body: ResponseRequest
    chat: ChatRequest
    tools: Tools
    items: Sequence[Item]
    """The input alone, without what it goes on from."""


async def read_request(
    parsed: ParsedBody[ResponseRequest],
    model: str,
    card: ModelCard,
    able: frozenset[Capability],
    max_characters: int,
    history: History,
) -> CheckedRequest:
    """What is asked of a model that is known and permitted. Raises `ApiError`, `StorageError`.

    `able` is what the model can do and its deployment delivers, `max_characters` what it takes;
    `history` holds what the request may go on from.
    """
    ignored, adjusted = list(parsed.ignored), list[str]()
    body = parsed.checked({"max_output_tokens": card.output_max}, adjusted)
    _check(body)
    reasoning, text = body.reasoning or Reasoning(), body.text or TextOptions()
    effort = "xhigh" if reasoning.effort == "max" else reasoning.effort
    asked = Thinking(effort=effort, on=None if effort is None else effort != "none")
    switches = ["reasoning.effort"] if effort is not None else []
    thinking, share = bounded(asked, card, Dialect.OPENAI, switches, ignored)
    tools = read_tools(body.tools or ())
    use, searches = tool_use(tools, body.tool_choice, body.parallel_tool_calls)
    wanted = _format(text)
    wants = _wants(tools, wanted, searches=searches)
    if wanted is not None and use is not None and use.choice == "required":
        raise refuse("tool_choice", body.tool_choice, "auto or none with a text.format")
    if isinstance(body.input, str):
        items: Sequence[Item] = [Item(role="user", content=body.input)]
    else:
        items = await history.resolved(body.input)
    before = await history.before(body.previous_response_id)
    conversation = Conversation(model, able)
    if body.instructions:
        conversation.messages.append(Message("system", body.instructions))
    await conversation.read([*before, *items], len(before))
    if not conversation.messages:
        raise invalid("input holds no message, allowed: one at least")
    ignored += _without_effect(body, text)
    chat = ChatRequest(
        model=model,
        card=card,
        messages=tuple(conversation.messages),
        shows=bool(conversation.pictures),
        sampling=supported({name: getattr(body, name) for name in SAMPLING}, card, ignored),
        max_tokens=body.max_output_tokens or card.output_default,
        thinking=thinking,
        effort=share,
        asked=asked,
        switches=tuple(switches),
        stops=(),
        stream=bool(body.stream),
        include_usage=False,
        user=body.end_user,
        functions=_functions_text(tools, max_characters),
        tools=use,
        format=wanted,
        search=_search(body) if searches else None,
        wants=wants,
        ignored=tuple(ignored),
        adjusted=tuple(adjusted),
        logprobs=(body.top_logprobs or 0) if LOGPROBS in (body.include or ()) else None,
        fields=Fields(
            parameters="{}.parameters",
            schema="text.format.schema",
            tools=tools.places,
            pictures=tuple(conversation.pictures),
        ),
    )
    return CheckedRequest(body, chat, tools, items)


def _check(body: ResponseRequest) -> None:
    """What no annotation can say. Raises `ApiError`."""
    if body.background:
        raise refuse("background", True, "false")
    for name, value in (body.metadata or {}).items():
        if len(name) > 64 or not isinstance(value, str) or len(value) > 512:
            raise refuse("metadata", body.metadata, PAIRS)


def _wants(
    tools: Tools, wanted: Format | None, *, searches: bool
) -> tuple[tuple[str, Capability], ...]:
    wants = [("tools", Capability.TOOLS)] if tools.functions else []
    if searches:
        wants.append(("tools", Capability.WEB_SEARCH))
    if wanted is not None:
        wants.append(("text.format", wanted.capability))
    return tuple(wants)


def _format(text: TextOptions) -> Format | None:
    """What an answer must be; `None` for text."""
    form = text.format
    if isinstance(form, JsonObjectFormat):
        return Format(Capability.JSON_OBJECT)
    if not isinstance(form, JsonSchemaFormat):
        return None
    about: dict[str, Any] = {
        name: value
        for name in ("name", "description", "strict")
        if (value := getattr(form, name)) is not None
    }
    return Format(Capability.JSON_SCHEMA, form.schema, about)


def _search(body: ResponseRequest) -> SearchOptions:
    tools = [each for each in body.tools or () if isinstance(each, WebSearchTool)]
    number = SEARCHED[(tools[0].search_context_size if tools else None) or "medium"]
    return SearchOptions(
        citation=True, trace=True, status=True, search_number=number, reference_number=number
    )


def _functions_text(tools: Tools, max_characters: int) -> str:
    told = [
        {"name": each.name, "description": each.description, "parameters": each.parameters}
        for each in tools.functions.values()
    ]
    return functions_text(told, None, max_characters) if told else ""


def _without_effect(body: ResponseRequest, text: TextOptions) -> list[str]:
    """What was sent, is known and changes nothing."""
    names = [name for name in NO_EFFECT if getattr(body, name) is not None]
    if body.truncation == "disabled":
        names.remove("truncation")
    if body.top_logprobs and LOGPROBS not in (body.include or ()):
        names.append("top_logprobs")
    if text.verbosity is not None:
        names.append("text.verbosity")
    names += [f"include={name}" for name in body.include or () if name not in INCLUDED]
    names += [
        f"tools[{at}].format"
        for at, tool in enumerate(body.tools or ())
        if isinstance(tool, CustomTool) and tool.format and tool.format.type == "grammar"
    ]
    return names
