"""What fields of an upstream's answer say: nothing, why it ended, how many tokens it counted."""

import re
from typing import Any

import msgspec

from xinghe.core import CURRENT_ROUND, FinishDelta, FinishReason, UsageDelta
from xinghe.engines.protocol import EngineFailed
from xinghe.outbound import UNREADABLE

NULL = msgspec.Raw(b"null")
UNSAFE = FinishDelta(FinishReason.CONTENT_FILTER, 3, CURRENT_ROUND)
"""The end where a server's own moderation has refused, or cut off, of which it said no more: `flag`
3 is also what an operator's phrases have."""
_NOTHINGS = frozenset({b"null", b"false", b'""', b"[]", b"{}"})
"""Null means absent, and to languages with loose types so does whatever is empty."""
LONGEST = 64
"""Characters of a finish reason that are looked at."""
_NO_REASON = frozenset({"", "null", "none"})
_BY_ITSELF = frozenset(
    {
        *("stop", "normal", "eos", "eos_token", "end", "end_turn", "stop_sequence"),
        *("recover_stop", "complete", "completed", "finished", "done"),
    }
)
_BROKEN_OFF = re.compile(
    r"error|time[d_-]*out|fail|abort|cancel|interrupt|malformed|insufficient|overload|unexpected"
    r"|rate[_-]?limit|disconnect|expired|killed|preempt|unavailable|exhausted|out_of_mem"
)
"""Of an answer that was left half done."""
_FILTERED = re.compile(
    r"filter|safety|unsafe|sensitiv|prohibit|refus|block|guardrail|recitation|spii|moderat|inspect"
    r"|policy|violat|risk"
)
_CALLED = re.compile(r"tool|function")
_TOO_LONG = re.compile(r"length|max|limit|exceed|truncat|incomplete")


def says_nothing(raw: msgspec.Raw) -> bool:
    """Whether a field might as well be absent."""
    return raw == NULL or b"".join(bytes(raw)[:16].split()) in _NOTHINGS


def finish_of(word: str) -> tuple[FinishReason | None, bool]:
    """What a finish reason says, `None` for nothing; and whether it is known.

    One that nobody knows is an end of its own. Raises `EngineFailed` where the answer was left
    half done.
    """
    word = word[:LONGEST].strip().lower()
    if word in _NO_REASON:
        return None, True
    if word in _BY_ITSELF:
        return FinishReason.NORMAL, True
    if word.isdigit():  # which may mean anything
        raise EngineFailed("its finish reason is no text")
    if _FILTERED.search(word):
        return FinishReason.CONTENT_FILTER, True
    if broken := _BROKEN_OFF.search(word):
        raise EngineFailed(f"upstream broke off ({broken[0]})")
    for stems, reason in ((_CALLED, FinishReason.FUNCTION_CALL), (_TOO_LONG, FinishReason.LENGTH)):
        if stems.search(word):
            return reason, True
    return FinishReason.NORMAL, False


class Unsound(Exception):
    """It is no count, or is of more tokens than can have been used; the text is for the log."""


class _Details(msgspec.Struct):
    """Of the prompt's tokens, or of the answer's."""

    cached_tokens: Any = None
    reasoning_tokens: Any = None


class _Usage(msgspec.Struct):
    """Some count under two names, of which one stays 0; cached and thought stand elsewhere, too."""

    prompt_tokens: Any = None
    completion_tokens: Any = None
    input_tokens: Any = None
    output_tokens: Any = None
    total_tokens: Any = None
    prompt_tokens_details: msgspec.Raw = NULL
    completion_tokens_details: msgspec.Raw = NULL
    prompt_cache_hit_tokens: Any = None
    cached_tokens: Any = None
    reasoning_tokens: Any = None


_usage = msgspec.json.Decoder(_Usage | None).decode
_details = msgspec.json.Decoder(_Details | None).decode


class Counts(msgspec.Struct):
    """Those of one answer, whose prompt and completion are at most so many tokens."""

    most_prompt: int
    most_completion: int
    prompt: int | None = None
    """Some count the prompt at the beginning, and at the end the answer alone."""

    def read(self, raw: msgspec.Raw, *, spoken: bool) -> UsageDelta | None:
        """The upstream's count; `None` where it is partial or empty, so that ours stands.

        Of an answer that has `spoken`, 0 is no count. Raises `Unsound`.
        """
        if says_nothing(raw):
            return None
        try:
            usage = _usage(raw) or _Usage()
            prompt = _number(usage.prompt_tokens) or _number(usage.input_tokens)
            completion = _number(usage.completion_tokens)
            completion = completion or _number(usage.output_tokens) or completion
        except (*UNREADABLE, ValueError):
            raise Unsound("it is no count") from None
        if (prompt or 0) > self.most_prompt or (completion or 0) > self.most_completion:
            raise Unsound("it is more than can have been used")
        prompt = self.prompt = prompt or self.prompt
        if not prompt or completion is None or (spoken and not completion):
            return None
        read, written = _part(usage.prompt_tokens_details), _part(usage.completion_tokens_details)
        cached = (read.cached_tokens, usage.prompt_cache_hit_tokens, usage.cached_tokens)
        reasoning = _sound(written.reasoning_tokens) or _sound(usage.reasoning_tokens)
        if reasoning and _sound(usage.total_tokens) == prompt + completion + reasoning:
            # As xAI counts: the thought apart.
            completion = min(completion + reasoning, self.most_completion)
        return UsageDelta(
            prompt,
            completion,
            min(max(_sound(count) or 0 for count in cached), prompt),
            None if reasoning is None else min(reasoning, completion),
        )


def _part(raw: msgspec.Raw) -> _Details:
    """What cannot be read of it makes the rest of the count no less sound."""
    try:
        return _details(raw) or _Details()
    except UNREADABLE:
        return _Details()


def _sound(value: Any) -> int | None:
    try:
        return _number(value)
    except ValueError:
        return None


def _number(value: Any) -> int | None:
    """A count; a float that is whole is one. Raises `ValueError`."""
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or value < 0:
        raise ValueError
    return value
