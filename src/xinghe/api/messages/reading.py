"""From a body in Anthropic's form to a `ChatRequest`: what the model's card makes of it."""

from collections.abc import Sequence
from typing import Any

from xinghe.api.chat.request import ChatRequest, Fields, Format, functions_text, supported
from xinghe.api.chat.thinking import bounded
from xinghe.api.dialect import Dialect
from xinghe.api.errors import refuse
from xinghe.api.messages.conversation import Reader
from xinghe.api.messages.schema import CountTokensRequest, MessagesRequest
from xinghe.api.messages.tools import Offered, offered_tools
from xinghe.api.validation import ParsedBody
from xinghe.catalog import Capability, ModelCard
from xinghe.core import Thinking

CALLED = {"user": "metadata.user_id", "functions": "tools"}
EFFORTS = {"max": "xhigh"}
"""Anthropic's words for what is called otherwise elsewhere."""


async def read_request(
    parsed: ParsedBody[Any],
    model: str,
    card: ModelCard,
    able: frozenset[Capability],
    max_characters: int,
    betas: Sequence[str] = (),
) -> ChatRequest:
    """What is asked of a model that is known and permitted. Raises `ApiError`.

    `able` is what the model can do and its deployment delivers, `max_characters` what it takes;
    `betas` are what was sent as `anthropic-beta`.
    """
    ignored, adjusted = list(parsed.ignored), list[str]()
    most = {"max_tokens": card.output_max} if parsed.form.shape is MessagesRequest else {}
    body: CountTokensRequest = parsed.checked(most, adjusted)
    asked, switches = _thinking(body)
    thinking, effort = bounded(asked, card, Dialect.OPENAI, switches, ignored)
    if asked.on and asked.budget is not None and thinking < asked.budget:
        adjusted.append(f"thinking.budget_tokens={thinking}")
    offered = offered_tools(body)
    wanted, field = _format(body)
    stops = tuple(body.stop_sequences or ())
    if wanted is not None:
        if stops:
            # A stop string would break off the very JSON that is promised.
            raise refuse("stop_sequences", list(stops), f"nothing while {field} asks for JSON")
        if offered.use is not None and offered.use.choice == "required":
            asked_choice = body.tool_choice and body.tool_choice.type
            raise refuse("tool_choice.type", asked_choice, f"auto or none with {field}")
    read = await Reader(model, able).read(body.system, body.messages)
    sampling = supported({"temperature": body.temperature, "top_p": body.top_p}, card, ignored)
    if body.top_k is not None:
        ignored.append("top_k")
    if read.cached or offered.cached:
        ignored.append("cache_control")
    return ChatRequest(
        model=model,
        card=card,
        messages=read.messages,
        shows=bool(read.pictures),
        sampling=sampling,
        max_tokens=body.max_tokens if isinstance(body, MessagesRequest) else card.output_default,
        thinking=thinking,
        effort=effort,
        asked=asked,
        switches=tuple(switches),
        stops=stops,
        stream=isinstance(body, MessagesRequest) and bool(body.stream),
        include_usage=False,
        user=(body.metadata and body.metadata.user_id) or "",
        functions=(
            functions_text(parsed.body.get("tools"), None, max_characters) if body.tools else ""
        ),
        tools=offered.use,
        format=wanted,
        search=offered.search,
        wants=_wants(offered, wanted, field),
        ignored=(*ignored, *betas),
        adjusted=tuple(adjusted),
        fields=Fields(
            parameters="tools[{}].input_schema",
            schema=f"{field}.schema",
            tools=offered.numbers,
            pictures=read.pictures,
            called=CALLED,
        ),
    )


def _wants(
    offered: Offered, wanted: Format | None, field: str
) -> tuple[tuple[str, Capability], ...]:
    wants: list[tuple[str, Capability]] = []
    if offered.use is not None:
        wants.append(("tools", Capability.TOOLS))
    if offered.search is not None:
        wants.append(("tools", Capability.WEB_SEARCH))
    if wanted is not None:
        wants.append((field, wanted.capability))
    return tuple(wants)


def _thinking(body: CountTokensRequest) -> tuple[Thinking, list[str]]:
    """What is said of the chain of thought, and in which parameters."""
    sent, on, budget = list[str](), None, None
    if body.thinking is not None:
        kind = body.thinking.type
        sent.append("thinking")
        on = {"enabled": True, "disabled": False}.get(kind)
        budget = body.thinking.budget_tokens if on else None
    effort: str | None = None
    if body.output_config is not None and body.output_config.effort is not None:
        sent.append("output_config.effort")
        word = body.output_config.effort
        effort = None if on is False else EFFORTS.get(word, word)
    return Thinking(on, budget, effort), sent


def _format(body: CountTokensRequest) -> tuple[Format | None, str]:
    """The form that the answer is to have, and where it was asked for."""
    config = body.output_config
    if config is not None and config.format is not None:
        return Format(Capability.JSON_SCHEMA, config.format.schema), "output_config.format"
    if body.output_format is not None:
        return Format(Capability.JSON_SCHEMA, body.output_format.schema), "output_format"
    return None, ""
