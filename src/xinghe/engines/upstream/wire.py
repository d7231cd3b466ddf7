"""What an OpenAI-compatible server says in a stream, as deltas."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from xinghe.catalog.card import Count
from xinghe.core import Delta, FinishReason, ReasoningDelta, TextDelta, ToolCallDelta, UsageDelta
from xinghe.engines.protocol import EngineFailed

_WORD = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
FINISH_REASONS = {
    "length": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
    "tool_calls": FinishReason.FUNCTION_CALL,
    "function_call": FinishReason.FUNCTION_CALL,
}
"""Whatever else an upstream says is an end of its own."""
BROKEN_OFF = frozenset({"abort", "error", "insufficient_system_resource"})
"""The names of vLLM and SGLang, OpenRouter, and DeepSeek for an answer that they left half done."""


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    index: int = 0
    id: str | None = None
    function: _Function | None = None


class _ChoiceDelta(msgspec.Struct):
    """`reasoning_content` is DeepSeek's name for the chain of thought, `reasoning` vLLM's new."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    delta: _ChoiceDelta = msgspec.field(default_factory=_ChoiceDelta)
    finish_reason: str | None = None


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

    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Any = None


def translate(
    chunk: Chunk, finish: FinishReason | None, deltas: list[Delta], *, calls: bool
) -> FinishReason | None:
    """Append what a chunk says to `deltas`; returns the finish reason known so far.

    Without `calls`, no functions were offered: a call of one is none. Raises `EngineFailed` for
    an answer that was broken off.
    """
    if chunk.error is not None:
        raise EngineFailed(f"upstream reported an error{error_code(chunk.error)}")
    for choice in chunk.choices:
        _say(choice.delta, deltas)
        if calls and choice.delta.tool_calls:
            _call(choice.delta.tool_calls, deltas)
        if choice.finish_reason in BROKEN_OFF:
            raise EngineFailed(f"upstream broke off: {choice.finish_reason}")
        if choice.finish_reason:
            finish = FINISH_REASONS.get(choice.finish_reason, FinishReason.NORMAL)
            if finish is FinishReason.FUNCTION_CALL and not calls:
                finish = FinishReason.NORMAL
    if chunk.usage is not None:
        deltas.extend(_usage(chunk.usage))
    return finish


def _say(said: _ChoiceDelta, deltas: list[Delta]) -> None:
    if thought := said.reasoning_content or said.reasoning:
        deltas.append(ReasoningDelta(thought))
    if said.content:
        deltas.append(TextDelta(said.content))


def _call(fragments: list[_ToolCall], deltas: list[Delta]) -> None:
    for call in fragments:
        function = call.function or _Function()
        deltas.append(
            ToolCallDelta(call.index, call.id, function.name, function.arguments or "", tokens=1)
        )


def _usage(usage: _Usage) -> list[UsageDelta]:
    """The upstream's count; none where it is partial or empty, so that ours stands."""
    if not usage.prompt_tokens or usage.completion_tokens is None:
        return []
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens or 0) if details else 0
    counted = usage.completion_tokens_details
    return [
        UsageDelta(
            usage.prompt_tokens,
            usage.completion_tokens,
            min(cached, usage.prompt_tokens),
            counted.reasoning_tokens if counted else None,
        )
    ]


def error_code(error: object) -> str:
    """The code, type and field that an error body names, for the log; empty if none.

    Not its message: some servers repeat the request in what they say, and prompts are not logged.
    """
    if isinstance(error, bytes):
        try:
            error = msgspec.json.decode(error)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ""
    if isinstance(error, dict) and isinstance(error.get("error"), dict):
        error = error["error"]
    if not isinstance(error, dict):
        return ""
    words = [str(error[name]) for name in ("code", "type", "param") if error.get(name) is not None]
    told = [word for word in words if _WORD.fullmatch(word)]
    return f" ({', '.join(told)})" if told else ""
