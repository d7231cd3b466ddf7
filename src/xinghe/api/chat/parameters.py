"""The parameters of section 4.1.2, with the ranges of the dialect and of the model's card."""

from __future__ import annotations

from typing import Any

import msgspec

from xinghe.api.chat.messages import read_messages
from xinghe.api.chat.request import ChatRequest
from xinghe.api.dialect import Dialect
from xinghe.api.errors import ApiError, Errors
from xinghe.api.fields import flag, integer, number, obj, refuse, text
from xinghe.catalog.card import ModelCard
from xinghe.catalog.parameters import parameters
from xinghe.core import Sampling

OF_THE_CARD = ("max_completion_tokens", "max_tokens")
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


def read_request(
    body: dict[str, Any], model: str, card: ModelCard, dialect: Dialect
) -> ChatRequest:
    """Validate a body for a model that is known and permitted. Raises `ApiError`."""
    for field in ("user", "user_id"):
        if body.get(field) == "":
            raise ApiError(Errors.INVALID_USER_ID, "user_id can not be empty", param=field)
    values = _read_scalars(body, dialect)
    _check_others(body)
    stream = bool(values["stream"])
    options = obj(body, "stream_options")
    if options and not stream:
        raise refuse("stream_options", "an object", "only together with stream: true")
    ignored = [name for name in body if name not in KNOWN and body[name] is not None]
    return ChatRequest(
        model=model,
        card=card,
        messages=read_messages(body, model, card, dialect),
        sampling=_sampling(values, card, dialect, ignored),
        max_tokens=_max_tokens(body, card, dialect),
        stops=_stops(body, dialect),
        stream=stream,
        include_usage=bool(flag(options, "include_usage", "stream_options.include_usage")),
        user=" ".join(filter(None, (values["user"], values["user_id"]))),
        functions=_functions(body),
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
    return values


def _check_others(body: dict[str, Any]) -> None:
    """What no engine serves yet, and what leaving out would change the meaning."""
    if obj(body, "logit_bias"):
        raise refuse("logit_bias", body["logit_bias"], "an empty object")
    if body.get("tools") or body.get("functions"):
        return  # what the choice may be goes with them: see `require_capabilities`
    for name in ("tool_choice", "function_call"):
        if body.get(name) not in (None, "none", "auto"):
            raise refuse(name, body[name], "none or auto while no tools are given")


def _functions(body: dict[str, Any]) -> str:
    given = [body[field] for field in ("tools", "functions") if body.get(field)]
    return msgspec.json.encode(given).decode() if given else ""


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
