"""What an OpenAI-compatible server says, as deltas; nothing of it is believed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import structlog

from xinghe.core import (
    Delta,
    FinishDelta,
    FinishReason,
    GenerationJob,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    UsageDelta,
)
from xinghe.engines.calls import MOST_CHARACTERS, NULL, Calls
from xinghe.engines.mending import mended
from xinghe.engines.protocol import EngineFailed
from xinghe.outbound import UNREADABLE, Unreadable, decoded, items, known_words

log = structlog.get_logger(__name__)

FINISH_REASONS = {
    "stop": FinishReason.NORMAL,
    "normal": FinishReason.NORMAL,
    "eos": FinishReason.NORMAL,
    "eos_token": FinishReason.NORMAL,
    "end_turn": FinishReason.NORMAL,
    "stop_sequence": FinishReason.NORMAL,
    "recover_stop": FinishReason.NORMAL,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "max_output_tokens": FinishReason.LENGTH,
    "model_length": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
    "sensitive": FinishReason.CONTENT_FILTER,
    "safety": FinishReason.CONTENT_FILTER,
    "prohibited_content": FinishReason.CONTENT_FILTER,
    "refusal": FinishReason.CONTENT_FILTER,
    "tool_calls": FinishReason.FUNCTION_CALL,
    "tool_use": FinishReason.FUNCTION_CALL,
    "function_call": FinishReason.FUNCTION_CALL,
}
"""Of all the servers that we know, in small letters. Any other is an end of its own, and logged."""
BROKEN_OFF = frozenset(
    {"abort", "aborted", "cancelled", "error", "insufficient_system_resource", "network_error"}
)
"""The names for an answer that was left half done."""
NO_REASON = frozenset({"", "null", "none"})
MOST_PARTS = 128
"""Of one content."""
TOKENS_BESIDES = 8192
"""The most that an upstream may count beyond our bound: words of its own, and for each picture."""


class _Part(msgspec.Struct):
    """Of a content that is a list (Mistral), or of a thought (MiniMax; Bedrock's is one alone)."""

    text: Any = None
    thinking: msgspec.Raw = NULL


class _Said(msgspec.Struct):
    """A delta or a message. A thought is `reasoning_content` to DeepSeek, `reasoning` to vLLM."""

    content: msgspec.Raw = NULL
    reasoning_content: msgspec.Raw = NULL
    reasoning: msgspec.Raw = NULL
    reasoning_details: msgspec.Raw = NULL
    refusal: msgspec.Raw = NULL
    tool_calls: msgspec.Raw = NULL
    function_call: msgspec.Raw = NULL


class _Choice(msgspec.Struct):
    delta: _Said | None = None
    message: _Said | None = None
    text: msgspec.Raw = NULL
    finish_reason: msgspec.Raw = NULL
    usage: msgspec.Raw = NULL


class _Choices(msgspec.Struct, array_like=True):
    """One is asked for; further ones are skipped, however many there are."""

    first: _Choice | None = None


_Count = Annotated[int, msgspec.Meta(ge=0)] | None


class _PromptDetails(msgspec.Struct):
    cached_tokens: _Count = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: _Count = None


class _Usage(msgspec.Struct):
    prompt_tokens: _Count = None
    completion_tokens: _Count = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class _Chunk(msgspec.Struct):
    """One event of the stream, or a whole answer."""

    choices: _Choices | None = None
    usage: msgspec.Raw = NULL
    error: msgspec.Raw = NULL


_chunk = msgspec.json.Decoder(_Chunk | None).decode
_text = msgspec.json.Decoder(str).decode
_usage = msgspec.json.Decoder(_Usage | None, strict=False).decode
"""A float that is whole is a count too."""
_NOTHING = _Said()


class Chunks:
    """One answer, from its first event to its end.

    `finish` is the finish reason as far as it is known; `over` says that it was told behind what
    was said and by itself, as an end is, so that only the usage is still to come; `ended` that
    nothing more comes. A reason beside a text may be one that stands on every chunk.
    """

    def __init__(self, job: GenerationJob, served_by: str) -> None:
        assert isinstance(job.prompt.payload, dict)
        contents = [message["content"] for message in job.prompt.payload["messages"]]
        parts = sum(len(content) for content in contents if isinstance(content, list))
        self.finish: FinishReason | None = None
        self.over = self.ended = False
        self.failure: EngineFailed | None = None
        self._most_prompt = job.prompt.bound + TOKENS_BESIDES * (1 + parts)
        self._most_completion = job.max_tokens
        self._calls = Calls(job.max_tokens) if "tools" in job.prompt.payload else None
        """Where none are offered, a call is none."""
        self._served_by = served_by
        self._told: set[str] = set()
        self._half = b""
        """Of a character that two events share."""
        self._spoken = False
        self._refused = False
        self._goes_on = False
        """It has spoken behind a finish reason, so that such a one is no end."""

    def deltas(self, events: Sequence[bytes]) -> list[Delta]:
        """What the next events say; no event is the end of the answer. The last is a `FinishDelta`.

        Where the answer broke off or cannot be read, what came before is said, and then there is
        a `failure`.
        """
        deltas: list[Delta] = []
        for event in map(bytes.strip, events):
            if event == b"[DONE]":
                self.ended = True
                break
            if not event:
                continue
            try:
                self._translate(event, deltas)
            except EngineFailed as error:
                self.failure = error
                return deltas
        if not events:
            if self.finish is None:
                self.failure = EngineFailed("the stream ended before its finish reason")
                return deltas
            self.ended = True
        if self.ended:
            # The usage comes after the finish reason, so the finish waits for it.
            finish = self.finish or FinishReason.NORMAL
            refused = self._refused and finish is FinishReason.NORMAL
            deltas.append(FinishDelta(FinishReason.REFUSAL if refused else finish))
        return deltas

    def _translate(self, event: bytes, deltas: list[Delta]) -> None:
        """Append what one event says to `deltas`."""
        began = len(deltas)
        try:
            try:
                chunk = _chunk(event) or _Chunk()
            except UNREADABLE:
                event, self._half = mended(event, self._half)
                chunk = _chunk(event) or _Chunk()
            choice = (chunk.choices and chunk.choices.first) or _Choice()
            self._say(choice, deltas)
        except (*UNREADABLE, Unreadable) as error:
            if self._is_whole():
                return
            # Its own text would quote the answer.
            raise EngineFailed(f"an event is unreadable ({type(error).__name__})") from None
        if len(deltas) > began:
            self._spoken, self.over = True, False
            self._goes_on = self._goes_on or self.finish is not None
        if chunk.error != NULL:
            if self._is_whole():
                return
            raise EngineFailed(f"upstream reported an error{known_words(bytes(chunk.error))}")
        self._end(choice.finish_reason)
        raw = chunk.usage if chunk.usage != NULL else choice.usage
        if len(deltas) == began and not choice.finish_reason == raw == NULL:
            self.over = self._spoken and self.finish is not None
        if raw != NULL and (usage := self._count(raw)):
            deltas.append(usage)

    def _is_whole(self) -> bool:
        """What follows an end destroys nothing."""
        return self.finish is not None and not self._goes_on

    def _say(self, choice: _Choice, deltas: list[Delta]) -> None:
        """What a choice says. A message says it whole, and once more where deltas came before."""
        said = choice.delta or _NOTHING
        if not self._spoken and said == _NOTHING:
            said = choice.message or _Said(content=choice.text)
        inside, text = _read(said.content)
        thought = (
            inside
            or _read(said.reasoning_content)[1]
            or _read(said.reasoning)[1]
            or _read(said.reasoning_details)[1]
        )
        refusal = _read(said.refusal)[1]
        self._refused = self._refused or bool(refusal)
        # An event counts for one token, and what it brings is cut where it is long.
        for kind, words in ((ReasoningDelta, thought), (TextDelta, text), (RefusalDelta, refusal)):
            for at in range(0, len(words), MOST_CHARACTERS):
                deltas.append(kind(words[at : at + MOST_CHARACTERS], 0 if at else 1))
        if self._calls is not None:
            if said.tool_calls != NULL:
                deltas.extend(self._calls.deltas(said.tool_calls))
            elif said.function_call != NULL:
                call = b'{"function":' + bytes(said.function_call) + b"}"
                deltas.extend(self._calls.deltas(msgspec.Raw(call)))

    def _end(self, raw: msgspec.Raw) -> None:
        if raw == NULL:
            return
        try:
            reason = _text(raw).strip().lower()
        except UNREADABLE:
            if self._is_whole():
                return
            raise EngineFailed("its finish reason is no text") from None
        if reason in NO_REASON:
            return
        if reason in BROKEN_OFF:
            raise EngineFailed(f"upstream broke off: {reason}")
        if reason not in FINISH_REASONS:
            self._tell("finish_reason_not_known", "")
        finish = FINISH_REASONS.get(reason, FinishReason.NORMAL)
        called = finish is FinishReason.FUNCTION_CALL
        self.finish = FinishReason.NORMAL if called and self._calls is None else finish

    def _count(self, raw: msgspec.Raw) -> UsageDelta | None:
        """The upstream's count; `None` where it is partial, empty or unsound, so that ours stands.

        Unsound is what is no count, or is of more tokens than can have been used.
        """
        try:
            usage = _usage(raw) or _Usage()
        except UNREADABLE:
            self._tell("usage_not_believed", "it is no count")
            return None
        prompt, completion = usage.prompt_tokens, usage.completion_tokens
        read, counted = usage.prompt_tokens_details, usage.completion_tokens_details
        cached = (read.cached_tokens or 0) if read else 0
        reasoning = counted.reasoning_tokens if counted else None
        if not prompt or completion is None or (self._spoken and not completion):
            return None
        if prompt > self._most_prompt or completion > self._most_completion:
            self._tell("usage_not_believed", "it is more than can have been used")
            return None
        return UsageDelta(
            prompt,
            completion,
            min(cached, prompt),
            None if reasoning is None else min(reasoning, completion),
        )

    def _tell(self, what: str, reason: str) -> None:
        if what not in self._told:  # said once an answer
            self._told.add(what)
            log.warning(what, served_by=self._served_by, reason=reason)


def _read(raw: msgspec.Raw, *, thought: bool = True) -> tuple[str, str]:
    """The thought and the text of a content: a text, a part, or a list of parts."""
    match bytes(raw)[:1]:
        case b'"':
            return "", _text(raw)
        case b"{":
            parts = [decoded(raw, _Part)]
        case b"[":
            parts = items(raw, _Part, MOST_PARTS)
        case _:
            return "", ""
    # Inside of a thought none is looked for, however deep they are nested.
    thoughts = [_read(part.thinking, thought=False)[1] for part in parts] if thought else []
    return "".join(thoughts), "".join(part.text for part in parts if isinstance(part.text, str))
