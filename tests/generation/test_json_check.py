"""JSON whose escapes are written out: the same value, wherever the text is cut."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinghe.core import Delta, FinishDelta, FinishReason, TextDelta, ToolCallDelta
from xinghe.generation.json_check import JsonUnescape

END = FinishDelta(FinishReason.NORMAL)
VALUES = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
        st.text(), inner
    )
)  # fmt: skip


def cut(text: str, at: Sequence[int]) -> list[str]:
    places = sorted({0, len(text), *(place % (len(text) + 1) for place in at)})
    return [text[one:other] for one, other in itertools.pairwise(places)]


def passed(pieces: Sequence[str]) -> str:
    """What becomes of the pieces of an answer, and the same of a call's arguments."""
    stage, of_calls = JsonUnescape(text=True), JsonUnescape(text=False)
    out: list[Delta] = []
    called: list[Delta] = []
    for piece in pieces:
        out += stage([TextDelta(piece)])
        called += of_calls([ToolCallDelta(0, arguments=piece)])
    out += stage([END])
    called += of_calls([END])
    assert out.pop() == called.pop() == END
    text = "".join(delta.text for delta in out if isinstance(delta, TextDelta))
    assert text == "".join(d.arguments for d in called if isinstance(d, ToolCallDelta))
    assert sum(delta.tokens for delta in out if isinstance(delta, TextDelta)) == len(pieces)
    return text


@given(VALUES, st.lists(st.integers(0, 10_000)))
def test_the_value_stays(value: object, at: list[int]) -> None:
    text = passed(cut(json.dumps(value), at))
    assert json.loads(text) == value
    assert text == passed([json.dumps(value)])


@given(st.text('\\ud83ed0a9/n"紫', max_size=40), st.lists(st.integers(0, 40)))
def test_cuts_do_not_matter(text: str, at: list[int]) -> None:
    assert passed(cut(text, at)) == passed([text])


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        (r"\u7d2b\u8272", "紫色"),
        (r"\ud83d\ude00", "😀"),
        (r"\u0061", "a"),
        (r"\\u7d2b", r"\\u7d2b"),
        (r"\\\u7d2b", r"\\紫"),
        (r"\u0022\u005c\u000a\n\/", r"\u0022\u005c\u000a\n\/"),
        (r"\ud83d", r"\ud83d"),
        (r"\ud83d\n\ude00", r"\ud83d\n\ude00"),
        (r"\u7d2", r"\u7d2"),
        ("\\", "\\"),
    ],
)
def test_forms(written: str, plain: str) -> None:
    assert passed([written]) == passed(list(written)) == plain


def test_text_beside_calls_is_none_of_it() -> None:
    deltas: list[Delta] = [TextDelta(r"\u7d2b"), END]
    assert JsonUnescape(text=False)(deltas) == deltas
