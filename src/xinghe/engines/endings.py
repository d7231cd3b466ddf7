"""Why an answer ended, in the words of all the servers that we know of."""

from __future__ import annotations

import re

from xinghe.core import FinishReason
from xinghe.engines.protocol import EngineFailed

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
    r"error|time[d_]*out|fail|abort|cancel|interrupt|malformed|insufficient|overload|unexpected"
    r"|rate_?limit|disconnect"
)
"""Of an answer that was left half done."""
_FILTERED = re.compile(
    r"filter|safety|unsafe|sensitiv|prohibit|refus|block|guardrail|recitation|spii|moderat|inspect"
    r"|policy|violat|risk"
)
_CALLED = re.compile(r"tool|function")
_TOO_LONG = re.compile(r"length|max|limit|exceed|truncat")


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
    for stems, reason in (
        (_CALLED, FinishReason.FUNCTION_CALL),
        (_TOO_LONG, FinishReason.LENGTH),
    ):
        if stems.search(word):
            return reason, True
    return FinishReason.NORMAL, False
