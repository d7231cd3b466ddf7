"""What a code looks like, and what is taken for one that was typed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinghe.sales.code_text import ALPHABET, digest, make, read

FORM = re.compile(rf"XH(-[{ALPHABET}]{{5}}){{5}}")


def test_each_is_another_and_none_has_a_letter_that_is_taken_for_another() -> None:
    made = make(2000)
    assert len(set(made)) == 2000
    assert all(FORM.fullmatch(code) and not set("ILOU") & set(code) for code in made)
    assert all(read(code) == code for code in made)
    assert len({digest(code) for code in made}) == 2000
    # Every place takes every figure and letter: 120 bits are drawn.
    for place in range(24):
        assert len({code.replace("-", "")[2 + place] for code in made}) == 32


@pytest.mark.parametrize(
    "typed",
    [
        str.lower,
        lambda code: code.replace("-", ""),
        lambda code: code.replace("-", " "),
        lambda code: code.replace("-", "—"),
        lambda code: f"  {code}\n",
        lambda code: code.removeprefix("XH-"),
        lambda code: "".join(chr(ord(each) + 0xFEE0) for each in code),  # full-width
        lambda code: "XH" + code[2:].replace("0", "O").replace("1", "l"),
    ],
)
def test_however_it_is_typed(typed: object) -> None:
    assert callable(typed)
    for code in make(100):
        assert read(typed(code)) == code


def test_one_wrong_figure_is_told() -> None:
    (code,) = make(1)
    for place, right in enumerate(code[3:], 3):
        for wrong in ALPHABET if right != "-" else "":
            if wrong != right:
                assert read(code[:place] + wrong + code[place + 1 :]) is None


@given(st.text(max_size=60))
def test_any_text_is_read_or_is_none(text: str) -> None:
    found = read(text)
    assert found is None or FORM.fullmatch(found)


@pytest.mark.parametrize("text", ["", "XH", "XH-", "U" * 25, "XH-" + "0" * 24, "Ⅻ" * 25, "٣" * 25])
def test_what_is_none(text: str) -> None:
    assert read(text) is None
