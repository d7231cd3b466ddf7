"""What an OpenAI-compatible server says in a stream, as deltas; nothing of it is believed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from xinghe.catalog.card import Count
from xinghe.core import Delta, FinishReason, ReasoningDelta, TextDelta, ToolCallDelta, UsageDelta
from xinghe.engines.protocol import EngineFailed
from xinghe.outbound import UNREADABLE, items

FINISH_REASONS = {
    "length": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
    "tool_calls": FinishReason.FUNCTION_CALL,
    "function_call": FinishReason.FUNCTION_CALL,
}
"""Whatever else an upstream says is an end of its own."""
BROKEN_OFF = frozenset({"abort", "error", "insufficient_system_resource"})
"""The names of vLLM and SGLang, OpenRouter, and DeepSeek for an answer that they left half done."""
KNOWN_CODES = frozenset(
    {
        "authentication_error",
        "context_length_exceeded",
        "insufficient_quota",
        "invalid_api_key",
        "invalid_request_error",
        "model_not_found",
        "not_found_error",
        "permission_denied",
        "rate_limit_exceeded",
        "server_error",
        "unsupported_parameter",
    }
)
"""What an error may be called in the log. Any other word may be a key, or a piece of a prompt."""
MOST_CALLS = 128
"""Of one event."""
MOST_CHARACTERS = 8192
"""Of one delta: a longer text is cut, so that no stage holds the gateway up."""
MOST_OF_ERROR = 65536
"""Bytes of an error that are looked at."""
NULL = msgspec.Raw(b"null")


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    index: Annotated[int, Meta(ge=0, lt=2**31)] = 0
    id: str | None = None
    function: _Function | None = None


class _ChoiceDelta(msgspec.Struct):
    """`reasoning_content` is DeepSeek's name for the chain of thought, `reasoning` vLLM's new."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: msgspec.Raw = NULL


class _Choice(msgspec.Struct):
    delta: _ChoiceDelta = msgspec.field(default_factory=_ChoiceDelta)
    finish_reason: str | None = None


class _Choices(msgspec.Struct, array_like=True):
    """One is asked for; further ones are skipped, however many there are."""

    first: _Choice | None = None


class _PromptDetails(msgspec.Struct):
    cached_tokens: Count | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: Count | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class Chunk(msgspec.Struct):
    """One event of the stream."""

    choices: _Choices = msgspec.field(default_factory=_Choices)
    usage: msgspec.Raw = NULL
    error: msgspec.Raw = NULL


class UnsoundUsage(Exception):
    """An upstream's count that cannot be true, or is none."""


_used = msgspec.json.Decoder(_Usage | None).decode


def translate(
    chunk: Chunk, finish: FinishReason | None, deltas: list[Delta], *, calls: bool
) -> FinishReason | None:
    """Append what a chunk says to `deltas`, but for its usage; the finish reason known so far.

    Without `calls`, no functions were offered: a call of one is none. Raises `EngineFailed` for
    an answer that was broken off, and `UNREADABLE`.
    """
    if chunk.error != NULL:
        raise EngineFailed(f"upstream reported an error{error_code(bytes(chunk.error))}")
    choice = chunk.choices.first
    if choice is None:
        return finish
    _say(choice.delta, deltas)
    if calls and choice.delta.tool_calls != NULL:
        deltas.extend(_called(choice.delta.tool_calls))
    if choice.finish_reason in BROKEN_OFF:
        raise EngineFailed(f"upstream broke off: {choice.finish_reason}")
    if choice.finish_reason:
        finish = FINISH_REASONS.get(choice.finish_reason, FinishReason.NORMAL)
        if finish is FinishReason.FUNCTION_CALL and not calls:
            finish = FinishReason.NORMAL
    return finish


def usage_of(chunk: Chunk, most_prompt: int, most_completion: int) -> UsageDelta | None:
    """The upstream's count; `None` where it is partial or empty, so that ours stands.

    Raises `UnsoundUsage` for what is no count, or for more tokens than can have been used.
    """
    if chunk.usage == NULL:
        return None
    try:
        usage = _used(chunk.usage)
    except UNREADABLE:
        raise UnsoundUsage("it is no count") from None
    if usage is None or not usage.prompt_tokens or usage.completion_tokens is None:
        return None
    if usage.prompt_tokens > most_prompt or usage.completion_tokens > most_completion:
        raise UnsoundUsage("it is more than can have been used")
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens or 0) if details else 0
    counted = usage.completion_tokens_details
    reasoning = counted.reasoning_tokens if counted else None
    return UsageDelta(
        usage.prompt_tokens,
        usage.completion_tokens,
        min(cached, usage.prompt_tokens),
        None if reasoning is None else min(reasoning, usage.completion_tokens),
    )


def error_code(data: bytes) -> str:
    """The code and type that an error body names, for the log, where they are known words."""
    try:
        error = msgspec.json.decode(data[:MOST_OF_ERROR])
    except UNREADABLE:
        return ""
    if isinstance(error, dict) and isinstance(error.get("error"), dict):
        error = error["error"]
    if not isinstance(error, dict):
        return ""
    words: list[Any] = [error.get("code"), error.get("type")]
    told = [word for word in words if isinstance(word, str) and word in KNOWN_CODES]
    return f" ({', '.join(dict.fromkeys(told))})" if told else ""


def _say(said: _ChoiceDelta, deltas: list[Delta]) -> None:
    if thought := said.reasoning_content or said.reasoning:
        deltas.extend(ReasoningDelta(*piece) for piece in _pieces(thought))
    if text := said.content:
        deltas.extend(TextDelta(*piece) for piece in _pieces(text))


def _called(raw: msgspec.Raw) -> Iterator[ToolCallDelta]:
    for call in items(raw, _ToolCall, MOST_CALLS):
        function = call.function or _Function()
        (arguments, _), *rest = _pieces(function.arguments or "")
        yield ToolCallDelta(call.index, call.id, function.name, arguments, tokens=1)
        for text, _ in rest:
            yield ToolCallDelta(call.index, arguments=text)


def _pieces(text: str) -> Iterator[tuple[str, int]]:
    """A text cut where it is long, with the tokens of each piece: an event counts for one."""
    yield text[:MOST_CHARACTERS], 1
    for at in range(MOST_CHARACTERS, len(text), MOST_CHARACTERS):
        yield text[at : at + MOST_CHARACTERS], 0
