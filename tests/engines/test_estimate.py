"""Token counts without a tokenizer: the source's formula, and a bound that holds."""

from __future__ import annotations

import math
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinghe.engines.prompts import bounded_tokens, estimated_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("你好", 2),
        ("hello world", 3),
        ("你好 world", 4),
        (",。!?", 0),
        ("𠮷", 1),
        ("one two three four five six seven eight nine ten", 13),
    ],
)
def test_source_formula(text: str, tokens: int) -> None:
    """Section 4.3.3: Chinese characters + words × 1.3, rounded up."""
    assert estimated_tokens(text) == tokens


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_rounds_up_and_never_beyond(characters: int, words: int) -> None:
    text = "字" * characters + " a" * words
    assert estimated_tokens(text) == characters + -(-13 * words // 10)


@given(st.text())
def test_bound_is_at_least_one_token_a_character(text: str) -> None:
    assert bounded_tokens(text) >= len(text)


def test_bound_takes_what_is_no_valid_unicode() -> None:
    assert bounded_tokens("\ud800") == 3


@pytest.mark.parametrize("seed", range(50))
def test_a_long_text_is_counted_like_its_parts(seed: int) -> None:
    chance = random.Random(seed)
    letters = "ab_9 ,字é😀\U00020000\U0003134f㐀䶿䷀\ud800豈\n\x7f\x80Z"
    parts = ["".join(chance.choices(letters, k=999)) + " " for _ in range(5)]
    chinese = [len(re.findall("[字\U00020000\U0003134f㐀䶿豈]", part)) for part in parts]
    words = [len(re.findall("[ab_9Z]+", part)) for part in parts]
    assert estimated_tokens("".join(parts)) == math.ceil(sum(chinese) + 1.3 * sum(words))
