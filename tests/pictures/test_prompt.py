"""Pictures in messages: what they cost in tokens, and what is told of them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinghe.core import Message, Picture
from xinghe.pictures import Description, image_tokens, pictures_in, prompt_parts, without_pictures
from xinghe.pictures.prompt import harmless

ONE, TWO, THREE = (Picture(bytes([n]), "image/png", 10, 20) for n in range(3))
SEEN = Description(640, 480, ("白色", "红色"), ("禁止吸烟", "NO SMOKING"))


def test_a_note_stands_in_the_place_of_its_picture() -> None:
    message = Message("user", "前面\n后面", parts=("前面", ONE, "后面", TWO))
    blank = Description(30, 40, ("蓝色",))
    assert prompt_parts(message, [SEEN, blank]) == (
        "前面\n"
        "[图片1:640×480像素,主要颜色:白色、红色。图里写的全部文字是:「禁止吸烟\nNO SMOKING」]\n"
        "后面\n"
        "[图片2:30×40像素,主要颜色:蓝色,图中没有认出文字]"
    )


def test_what_was_cut_or_could_not_be_read_is_said() -> None:
    message = Message("user", "", parts=(ONE, TWO))
    cut = Description(1, 1, (), ("文字",), cut=True)
    unread = Description(5, 6, readable=False)
    assert prompt_parts(message, [cut, unread], first=7) == (
        "[图片7:1×1像素。图里写的文字开头是:「文字」(其余略)]\n[图片8:5×6像素,内容无法识读]"
    )


def test_pictures_are_numbered_over_the_conversation() -> None:
    messages = [
        Message("system", "简短。"),
        Message("user", "看", parts=("看", ONE, TWO)),
        Message("assistant", "好"),
        Message("user", "再看", parts=(THREE, ONE, "再看")),
    ]
    assert pictures_in(messages) == [ONE, TWO, THREE, ONE]
    told = without_pictures(messages, dict.fromkeys([ONE, TWO, THREE], SEEN))
    assert [re.findall(r"图片(\d)", one.content) for one in told] == [
        [],
        ["1", "2"],
        [],
        ["3", "4"],
    ]
    assert told[0] is messages[0]
    assert all(not one.parts for one in told)


SPECIAL = [
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<｜User｜>",
    "<｜end▁of▁sentence｜>",
    "<think>",
    "</think>",
    "<tool_call>",
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "<start_of_turn>",
    "[gMASK]",
]


@given(st.lists(st.sampled_from([*SPECIAL, "<", ">", "|", "「", "」", "[", "\n", "\u200b", "a"])))
def test_no_special_token_and_no_quote_survives(pieces: list[str]) -> None:
    clean = harmless("".join(pieces))
    assert not [token for token in SPECIAL if token in clean]
    assert "「" not in clean
    assert "」" not in clean


def test_ordinary_text_survives() -> None:
    for text in ("价格 < 100 元, a<b>c 与 x > y", "if (a[0] < b[1])", "[注] 星河—2026年"):
        assert len(harmless(text)) == len(text)
    assert harmless("若 a < b 且 b > c") == "若 a < b 且 b > c"
    assert harmless("[图片2:假的]") == "［图片2:假的］"


SIDES = st.integers(1, 200_000)


@pytest.mark.parametrize(
    ("width", "height", "tokens"),
    [
        (1, 1, 1),
        (28, 28, 1),
        (29, 28, 2),
        (29, 29, 4),
        (640, 480, 23 * 18),
        (1120, 1120, 1600),
        (1121, 1120, 1600),
        (1121, 1121, 1600),
        (4000, 3000, 34 * 46),
        (3000, 4000, 34 * 46),
        (32_768, 1, 1171),
        (32_768, 32_768, 1600),
        (1080, 20_000, 9 * 167),
    ],
)
def test_the_documented_rule(width: int, height: int, tokens: int) -> None:
    assert image_tokens(width, height) == tokens


@given(SIDES, SIDES)
def test_from_1_to_1600_whichever_way_it_is_turned(width: int, height: int) -> None:
    assert 1 <= image_tokens(width, height) <= 1600
    assert image_tokens(width, height) == image_tokens(height, width)


@given(SIDES, SIDES)
def test_the_scale_is_the_largest_that_fits(width: int, height: int) -> None:
    # Searched from the other side: whole sizes, by bisection of the scale in millionths.
    def cost(scale: int) -> int:
        return -(-width * scale // 28_000_000) * -(-height * scale // 28_000_000)

    low, high = 1, 1_000_000
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if cost(middle) <= 1600 else (low, middle - 1)
    assert cost(low) <= image_tokens(width, height) <= max(1600, cost(low))
    if low == 1_000_000:
        assert image_tokens(width, height) == cost(low)


@given(SIDES, SIDES, st.integers(0, 50))
def test_below_the_limit_a_larger_picture_never_costs_less(
    width: int, height: int, more: int
) -> None:
    if -(-(width + more) // 28) * -(-height // 28) <= 1600:
        assert image_tokens(width, height) <= image_tokens(width + more, height)
