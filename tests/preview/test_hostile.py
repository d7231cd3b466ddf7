"""No prompt breaks it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.preview.asking import asked, drawn
from xinghe_preview.lettering import wrapped
from xinghe_preview.reader import MOST_CARDS, MOST_COPIES, MOST_ITEMS
from xinghe_preview.reading import compose
from xinghe_preview.vocabulary import vocabulary

KNOWN = [name for subject in vocabulary().subjects.values() for name in subject.names()]
GLUE = [
    *["在", "上", "下", "里", "戴着", "和", "，", "。", "的", "一只", "三个", "红色", "大", "海边"],
    *["white", "on", "wearing", "with", "under", "and", ",", "behind", "small", "night", "gizmo"],
]

HOSTILE = [
    "一" * 1024,
    "猫" * 1024,
    "红" * 1024,
    "猫在狗上" * 256,
    "a hat on a hat on a hat on a hat on a hat",
    "帽子戴着帽子戴着帽子",
    "\u202e\u200b猫\u200d\x00\x07\ufeff",
    "🐱🎩" * 200,
    "٣ قطط",
    "²只猫, ⅷ dogs, ０只鸟, -1 cats, 1e9 apples",
    "W" * 1024,
    "<svg onload=alert(1)> {{7*7}} %s %n ../../etc/passwd",
    "𠮷野家 龘靐齉",
    "cat " * 256,
    "a cat wearing " + "a hat, " * 140,
    "，，，。。。",
    "   \t\n  x",
]


@pytest.mark.parametrize("prompt", HOSTILE)
def test_every_one_of_these_is_a_picture(prompt: str) -> None:
    request = asked(prompt, negative=prompt[:20] if "cat" in prompt else "", size=(160, 120))
    composition = compose(request)
    assert len(composition.items) <= MOST_ITEMS
    assert sum(not item.subject for item in composition.items) <= MOST_CARDS
    assert drawn(request).size == (160, 120)


@given(st.lists(st.sampled_from(KNOWN + GLUE), min_size=1, max_size=14), st.booleans())
@settings(max_examples=300, deadline=None)
def test_what_is_read_is_sound_whatever_is_said(parts: list[str], spaced: bool) -> None:
    composition = compose(asked((" " if spaced else "").join(parts)))
    assert composition.items or composition.places
    for at, item in enumerate(composition.items):
        assert 1 <= item.count <= MOST_COPIES
        assert item.subject or item.text
        assert item.tie is None or item.tie.to in set(range(len(composition.items))) - {at}


@given(st.lists(st.sampled_from(KNOWN + GLUE), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_and_it_can_be_drawn_within_the_picture(parts: list[str]) -> None:
    assert drawn(asked(" ".join(parts), size=(96, 64))).size == (96, 64)


@given(st.text(min_size=1, max_size=1024))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read(prompt: str) -> None:
    composition = compose(asked(prompt))
    assert composition.items or composition.places


@given(st.text(min_size=1, max_size=200), st.integers(20, 900), st.integers(20, 900))
@settings(max_examples=80, deadline=None)
def test_lines_fit_their_card(text: str, width: int, height: int) -> None:
    lines, _, line = wrapped(text, width, height)
    assert lines
    assert len(lines) * line <= max(height, line)
