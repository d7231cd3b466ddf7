"""What an OpenAI-compatible server says in a stream, as deltas; nothing of it is believed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
import structlog
from msgspec import Meta

from xinghe.core import (
    Delta,
    FinishDelta,
    FinishReason,
    GenerationJob,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    UsageDelta,
)
from xinghe.engines.protocol import EngineFailed
from xinghe.outbound import UNREADABLE, items, known_words

log = structlog.get_logger(__name__)

FINISH_REASONS = {
    "length": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
    "tool_calls": FinishReason.FUNCTION_CALL,
    "function_call": FinishReason.FUNCTION_CALL,
}
"""Whatever else an upstream says is an end of its own."""
BROKEN_OFF = frozenset({"abort", "error", "insufficient_system_resource"})
"""The names of vLLM and SGLang, OpenRouter, and DeepSeek for an answer that they left half done."""
MOST_CALLS = 128
"""Of one event."""
MOST_CHARACTERS = 8192
"""Of one delta: a longer text is cut, so that nothing after it holds the gateway up."""
TOKENS_BESIDES = 8192
"""The most that an upstream may count beyond our bound: words of its own, and for each picture."""
CHARACTERS_A_TOKEN, CHARACTERS_BESIDES = 32, 16_384
"""The most of calls' arguments that one token brings, over the whole of an answer, and beside."""
NULL = msgspec.Raw(b"null")

_Count = Annotated[int, Meta(ge=0)]


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
    cached_tokens: _Count | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: _Count | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: _Count | None = None
    completion_tokens: _Count | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class _Chunk(msgspec.Struct):
    """One event of the stream."""

    choices: _Choices = msgspec.field(default_factory=_Choices)
    usage: msgspec.Raw = NULL
    error: msgspec.Raw = NULL


_chunk = msgspec.json.Decoder(_Chunk).decode
_usage = msgspec.json.Decoder(_Usage | None).decode


class Chunks:
    """One answer, from its first event to its end.

    `finish` is the finish reason as far as it is known; `ended` says that nothing more comes.
    """

    def __init__(self, job: GenerationJob, served_by: str) -> None:
        assert isinstance(job.prompt.payload, dict)
        contents = [message["content"] for message in job.prompt.payload["messages"]]
        parts = sum(len(content) for content in contents if isinstance(content, list))
        self.finish: FinishReason | None = None
        self.ended = False
        self._offers_tools = "tools" in job.prompt.payload
        self._most_prompt = job.prompt.bound + TOKENS_BESIDES * (1 + parts)
        self._most_completion = job.max_tokens
        self._arguments_left = CHARACTERS_A_TOKEN * job.max_tokens + CHARACTERS_BESIDES
        self._served_by = served_by
        self._believed = True

    def deltas(self, events: Sequence[bytes]) -> list[Delta]:
        """What the next events say; no event is the end of the answer. The last is a `FinishDelta`.

        Raises `EngineFailed` for an answer that was broken off or cannot be read.
        """
        deltas: list[Delta] = []
        for event in events:
            if event == b"[DONE]":
                self.ended = True
                break
            self._translate(event, deltas)
        if not events:
            if self.finish is None:
                raise EngineFailed("the stream ended before its finish reason")
            self.ended = True
        if self.ended:
            # The usage comes after the finish reason, so the finish waits for it.
            deltas.append(FinishDelta(self.finish or FinishReason.NORMAL))
        return deltas

    def _translate(self, event: bytes, deltas: list[Delta]) -> None:
        """Append what one event says to `deltas`."""
        try:
            chunk = _chunk(event)
        except UNREADABLE as error:
            # Its own text would quote the answer.
            raise EngineFailed(f"an event is unreadable ({type(error).__name__})") from None
        if chunk.error != NULL:
            raise EngineFailed(f"upstream reported an error{known_words(bytes(chunk.error))}")
        if (choice := chunk.choices.first) is not None:
            said = choice.delta
            # An event counts for one token, and what it brings is cut where it is long.
            thought = said.reasoning_content or said.reasoning or ""
            for at in range(0, len(thought), MOST_CHARACTERS):
                piece = thought[at : at + MOST_CHARACTERS]
                deltas.append(ReasoningDelta(piece, 0 if at else 1))
            text = said.content or ""
            for at in range(0, len(text), MOST_CHARACTERS):
                deltas.append(TextDelta(text[at : at + MOST_CHARACTERS], 0 if at else 1))
            # Where no functions were offered, a call of one is none.
            if self._offers_tools and said.tool_calls != NULL:
                deltas.extend(self._calls(said.tool_calls))
            if choice.finish_reason in BROKEN_OFF:
                raise EngineFailed(f"upstream broke off: {choice.finish_reason}")
            if choice.finish_reason:
                finish = FINISH_REASONS.get(choice.finish_reason, FinishReason.NORMAL)
                called = finish is FinishReason.FUNCTION_CALL
                self.finish = FinishReason.NORMAL if called and not self._offers_tools else finish
        if chunk.usage != NULL and (usage := self._count(chunk.usage)):
            deltas.append(usage)

    def _calls(self, raw: msgspec.Raw) -> Iterator[ToolCallDelta]:
        for call in items(raw, _ToolCall, MOST_CALLS):
            function = call.function or _Function()
            arguments = function.arguments or ""
            self._arguments_left -= len(arguments)
            if self._arguments_left < 0:
                raise EngineFailed("the arguments are longer than its tokens can be")
            head = arguments[:MOST_CHARACTERS]
            yield ToolCallDelta(call.index, call.id, function.name, head, tokens=1)
            for at in range(MOST_CHARACTERS, len(arguments), MOST_CHARACTERS):
                yield ToolCallDelta(call.index, arguments=arguments[at : at + MOST_CHARACTERS])

    def _count(self, raw: msgspec.Raw) -> UsageDelta | None:
        """The upstream's count; `None` where it is partial, empty or unsound, so that ours stands.

        Unsound is what is no count, or is of more tokens than can have been used.
        """
        try:
            usage = _usage(raw) or _Usage()
        except UNREADABLE:
            self._doubt("it is no count")
            return None
        prompt, completion = usage.prompt_tokens, usage.completion_tokens
        if not prompt or completion is None:
            return None
        if prompt > self._most_prompt or completion > self._most_completion:
            self._doubt("it is more than can have been used")
            return None
        read = usage.prompt_tokens_details
        cached = (read.cached_tokens or 0) if read else 0
        counted = usage.completion_tokens_details
        reasoning = counted.reasoning_tokens if counted else None
        return UsageDelta(
            prompt,
            completion,
            min(cached, prompt),
            None if reasoning is None else min(reasoning, completion),
        )

    def _doubt(self, reason: str) -> None:
        if self._believed:  # said once an answer
            self._believed = False
            log.warning("usage_not_believed", served_by=self._served_by, reason=reason)
