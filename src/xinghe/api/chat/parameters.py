"""The parameters of section 4.1.2, with the ranges of the dialect and of the model's card."""

from __future__ import annotations

from typing import Any

from xinghe.api.chat.messages import read_messages
from xinghe.api.chat.permissions import require_capabilities
from xinghe.api.chat.request import ChatRequest
from xinghe.api.dialect import Dialect
from xinghe.api.errors import ApiError, Errors
from xinghe.api.fields import flag, integer, number, obj, refuse, text
from xinghe.catalog.card import MIN_OUTPUT_TOKENS, ModelCard
from xinghe.core import Sampling

MAX_STOPS = 4
MAX_STOP_CHARACTERS = 20
SEEDS = {Dialect.DOCUMENTED: (1, 2**31 - 2), Dialect.OPENAI: (-(2**63), 2**63 - 1)}

DEFAULTS = {"temperature": 0.95, "top_p": 0.7}
"""What the documented service samples with when the request does not say (section 4.1.2)."""

KNOWN = frozenset(
    [
        "model",
        "messages",
        "stream",
        "stream_options",
        "temperature",
        "top_p",
        "penalty_score",
        "frequency_penalty",
        "presence_penalty",
        "seed",
        "stop",
        "max_tokens",
        "max_completion_tokens",
        "response_format",
        "tools",
        "functions",
        "tool_choice",
        "function_call",
        "parallel_tool_calls",
        "web_search",
        "user",
        "user_id",
        "n",
        "logprobs",
        "top_logprobs",
        "logit_bias",
    ]
)
SAMPLING = (
    "temperature",
    "top_p",
    "penalty_score",
    "frequency_penalty",
    "presence_penalty",
    "seed",
)


def read_request(
    body: dict[str, Any], model: str, card: ModelCard, dialect: Dialect
) -> ChatRequest:
    """Validate a body for a model that is known and permitted. Raises `ApiError`."""
    _check_user(body)
    require_capabilities(body, model, card.capabilities)
    _check_choices(body)
    stream = flag(body, "stream")
    options = obj(body, "stream_options")
    if options and not stream:
        raise refuse("stream_options", "an object", "only together with stream: true")
    ignored = [name for name in body if name not in KNOWN and body[name] is not None]
    return ChatRequest(
        model=model,
        card=card,
        messages=read_messages(body, model, card, dialect),
        sampling=_sampling(body, card, dialect, ignored),
        max_tokens=_max_tokens(body, card, dialect),
        stops=_stops(body, dialect),
        stream=stream,
        include_usage=flag(options, "include_usage", "stream_options.include_usage"),
        ignored=tuple(ignored),
    )


def _check_user(body: dict[str, Any]) -> None:
    for field in ("user", "user_id"):
        if text(body, field) == "":
            raise ApiError(Errors.INVALID_USER_ID, "user_id can not be empty", param=field)


def _check_choices(body: dict[str, Any]) -> None:
    """What no engine serves yet, and what leaving out would change the meaning."""
    integer(body, "n", 1, 1)
    if flag(body, "logprobs"):
        raise refuse("logprobs", True, "false")
    integer(body, "top_logprobs", 0, 0)
    if obj(body, "logit_bias"):
        raise refuse("logit_bias", body["logit_bias"], "an empty object")
    flag(body, "parallel_tool_calls")
    if body.get("tool_choice") not in (None, "none", "auto"):
        raise refuse("tool_choice", body["tool_choice"], "none or auto while no tools are given")


def _sampling(
    body: dict[str, Any], card: ModelCard, dialect: Dialect, ignored: list[str]
) -> Sampling:
    openai = dialect is Dialect.OPENAI
    values: dict[str, float | int | None] = {
        "temperature": number(body, "temperature", 0, 2 if openai else 1),
        "top_p": number(body, "top_p", 0, 1),
        "penalty_score": number(body, "penalty_score", 1, 2),
        "frequency_penalty": number(body, "frequency_penalty", -2, 2),
        "presence_penalty": number(body, "presence_penalty", -2, 2),
        "seed": integer(body, "seed", *SEEDS[dialect]),
    }
    if not openai:
        for name, default in DEFAULTS.items():
            if values[name] is None and name not in card.ignores:
                values[name] = default
    for name in SAMPLING:
        if values[name] is not None and name in card.ignores:
            ignored.append(name)
            values[name] = None
    return Sampling(**values)  # type: ignore[arg-type]


def _max_tokens(body: dict[str, Any], card: ModelCard, dialect: Dialect) -> int:
    low = 1 if dialect is Dialect.OPENAI else MIN_OUTPUT_TOKENS
    sent = {
        name: value
        for name in ("max_completion_tokens", "max_tokens")
        if (value := integer(body, name, low, card.output_max)) is not None
    }
    if len(set(sent.values())) > 1:
        raise refuse(
            "max_tokens", sent["max_tokens"], "the same as max_completion_tokens, its alias"
        )
    return next(iter(sent.values()), card.output_default)


def _stops(body: dict[str, Any], dialect: Dialect) -> tuple[str, ...]:
    value = body.get("stop")
    if value is None:
        return ()
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or len(stops) > MAX_STOPS:
        raise refuse("stop", value, f"a string or a list of up to {MAX_STOPS} strings")
    longest = MAX_STOP_CHARACTERS if dialect is Dialect.DOCUMENTED else None
    for at, stop in enumerate(stops):
        field = f"stop[{at}]" if value is stops else "stop"
        if not isinstance(stop, str) or not stop:
            raise refuse(field, stop, "a string that is not empty")
        if longest is not None and len(stop) > longest:
            raise refuse(field, stop, f"at most {longest} characters, it has {len(stop)}")
    return tuple(stops)
