"""What a pass is charged where the engine does not count."""

from __future__ import annotations

import pytest

from xinghe.core import (
    Delta,
    FinishDelta,
    FinishReason,
    Prompt,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageDelta,
)
from xinghe.generation.usage import UsageCounter

END = FinishDelta(FinishReason.NORMAL)
LONG = "word " * 300
"""390 tokens, as the source estimates."""


def counted(deltas: list[Delta], max_tokens: int = 1_000, *, exact: bool = False) -> int:
    """What is charged for the answer; all of it leaves."""
    usage = Usage()
    counter = UsageCounter(usage, Prompt(10, 20, exact=exact), max_tokens)
    assert counter([*deltas, END]) == [
        delta for delta in [*deltas, END] if not isinstance(delta, UsageDelta)
    ]
    return usage.completion_tokens


@pytest.mark.parametrize(
    "delta",
    [TextDelta(LONG), ReasoningDelta(LONG), ToolCallDelta(0, "a", "f", LONG, tokens=1)],
)
def test_a_whole_answer_in_one_event_is_more_than_a_token(delta: Delta) -> None:
    assert counted([delta]) == 390
    assert counted([delta, TextDelta("short")]) == 391


def test_an_estimate_ends_no_answer_and_passes_no_bound() -> None:
    assert counted([TextDelta(LONG), TextDelta("and more")], 300) == 300


def test_a_count_of_the_engines_stands() -> None:
    assert counted([TextDelta(LONG), UsageDelta(10, 321)]) == 321
    assert counted([TextDelta(LONG), UsageDelta(10, 321), TextDelta("short")]) == 322
    assert counted([TextDelta(LONG)], exact=True) == 1
