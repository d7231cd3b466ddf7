"""Token counts without a tokenizer: the source's formula, and a bound that holds."""

from __future__ import annotations

import asyncio
import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinghe.engines import prompts
from xinghe.engines.prompts import bounded_tokens, estimated_in_turns, estimated_tokens


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
        ("Привет мир", 3),
        ("café crème", 3),
        ("cafe\u0301 cre\u0300me", 3),
        ("안녕하세요 세계", 3),
        ("مَرْحَبًا بالعالم", 3),
        ("می\u200cخواهم", 2),
        ("नमस्ते दुनिया", 3),
        ("Ĳssel ªº ２０２６ Ⅻ", 6),
        ("ひらがな カタカナー", 9),
        ("ﾊﾝｶｸ・々〇", 6),
        ("สวัสดี", 6),
        ("ສະບາຍດີ", 7),
        ("ខ្មែរ", 5),
        ("မြန်မာ", 6),
        ("你好hello世界", 6),
        ("😀", 2),
        ("😀😀😀", 4),
        ("a😀b", 4),
        ("👍🏽", 2),
        ("👨‍👩‍👧‍👦", 2),
        ("🏃🏽‍♂️🏃‍♂️👁️‍🗨️", 4),
        ("🇨🇳🇫🇷", 3),
        ("❤️ ☀️ 1️⃣ #️⃣", 6),
        ("🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", 2),
        ("→ ★ © ™ ♪ ½", 2),
        ("\u0301 \ufe0f \u200d", 0),
        ("𠮷\U000e0100", 1),
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


BY_CHARACTER = ("CJK UNIFIED", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
EMOJI = ["😀", "👍🏽", "👩‍🚀", "🇩🇪", "❤️", "🏴‍☠️", "🫠", "⌚", "🈚"]
SCRIPTS = (
    "abZ9_ éßñ жЯ ωΔ 字漢㐀𠮷豈 한글 ひカー ไทยดี๕ ລາວ ខ្មែ မြန် אבג عربى हिन् தமிழ் ქარ Ա "
    "\n\t\x7f\x80,.-'\"/·。!?→★🄰\ud800\u0301\ufeff"
)


def counted(text: str) -> tuple[int, int]:
    """Characters and words, one after the other, of a text without emoji."""
    characters = words = 0
    within = False
    for char in text:
        kind, name = unicodedata.category(char), unicodedata.name(char, "")
        if name.startswith(BY_CHARACTER) and (kind[0] in "LMN"):
            characters += 1
            within = False
        elif kind[0] == "M" or char in "\xad\ufeff":
            continue
        else:
            inside = kind[0] in "LN" or char == "_"
            words += inside and not within
            within = inside
    return characters, words


@given(st.text(st.sampled_from(SCRIPTS) | st.characters(max_codepoint=0x17FF), max_size=200))
def test_words_of_any_script(text: str) -> None:
    characters, words = counted(text)
    assert estimated_tokens(text) == characters + -(-13 * words // 10)


@given(st.lists(st.sampled_from(EMOJI) | st.text(st.sampled_from(SCRIPTS[:99]), min_size=1)))
def test_an_emoji_is_a_word(parts: list[str]) -> None:
    """Whatever stands around it, and however many code points it is joined of."""
    counts = [(0, 1) if part in EMOJI else counted(part) for part in parts]
    characters, words = map(sum, zip((0, 0), *counts, strict=True))
    assert estimated_tokens(" ".join(parts)) == characters + -(-13 * words // 10)


@pytest.mark.parametrize("seed", range(5))
def test_a_long_text_is_counted_like_its_parts(seed: int) -> None:
    chance = random.Random(seed)
    parts = ["".join(chance.choices(SCRIPTS, k=999)) + " " for _ in range(50)]
    characters, words = map(sum, zip(*map(counted, parts), strict=True))
    assert estimated_tokens("".join(parts)) == characters + -(-13 * words // 10)


async def test_others_have_their_turn_while_a_long_text_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prompts, "COUNTED_AT_ONCE", 64)
    text = "\n".join("".join(random.choices([*SCRIPTS, *EMOJI], k=25)) for _ in range(200))
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    assert await estimated_in_turns(text) == estimated_tokens(text)
    task.cancel()
    assert turns >= len(text) // 64
