"""Citations in the documented form, of sources that exist, wherever the reads are cut."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinghe.core import FinishDelta, FinishReason, TextDelta, ToolCallDelta, UsageDelta
from xinghe.generation.search import CitationFilter

EVIDENCE = (
    "樊振东简介\n樊振东在2024年巴黎奥运会乒乓球男子单打决赛中战胜瑞典选手莫雷加德,夺得冠军。",
    "天气\n北京今天最高气温三十一度,午后有雷阵雨,出门请带雨具。",
    "Tea\nGreen tea contains less caffeine than black tea according to most laboratory surveys.",
)


def filtered(text: str, *, enabled: bool = True, cuts: tuple[int, ...] = ()) -> str:
    citations = CitationFilter(EVIDENCE, enabled=enabled)
    edges = [0, *sorted(cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(edges)]
    return "".join([*(citations.feed(piece) for piece in pieces), citations.flush()])


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("是他^[1]^。", "是他^[1]^。"),
        ("是他^[1][2]^。", "是他^[1][2]^。"),
        ("是他[1]。", "是他^[1]^。"),
        ("是他[1][2]。", "是他^[1][2]^。"),
        ("是他[1] [2]。", "是他^[1][2]^。"),
        ("是他【1】。", "是他^[1]^。"),
        ("是他【1、3】。", "是他^[1][3]^。"),
        ("是他【来源2】。", "是他^[2]^。"),
        ("是他[来源 2]。", "是他^[2]^。"),
        ("是他^1^。", "是他^[1]^。"),
        ("是他[^1]。", "是他^[1]^。"),
        ("是他^[1]。", "是他^[1]^。"),
        ("是他^[1, 2]^。", "是他^[1][2]^。"),
        ("是他^[1]^^[2]^。", "是他^[1][2]^。"),
        ("是他。[1]\n", "是他。^[1]^\n"),
        ("是他^[1][1]^。", "是他^[1]^。"),
        ("是他^[9]^。", "是他。"),
        ("是他^[1][9]^。", "是他^[1]^。"),
        ("是他[0]。", "是他。"),
        ("是他^[01]^。", "是他^[1]^。"),
        ("^[1]^是他。", "是他^[1]^。"),
        ("[1] 是他。\n\n[2] 是她。", " 是他^[1]^。\n\n 是她^[2]^。"),
        ("^[1]^是他^[2]^。对。", "是他^[2]^。对。"),
        ("^[1]^", ""),
        # What is not certainly a citation stays as it is.
        ("取 a[1] 的值", "取 a[1] 的值"),
        ("x = [1]", "x = [1]"),
        ("见[链接](http://a)", "见[链接](http://a)"),
        ("[1](http://a)", "[1](http://a)"),
        ("用`第[1]个`", "用`第[1]个`"),
        ("```\n第[1]个。\n```", "```\n第[1]个。\n```"),
        ("2^10 和 10^2^", "2^10 和 10^2^"),
        ("年份[2024]", "年份[2024]"),
        ("[[", "[["),
        ("^", "^"),
        ("[1, 2, 3]", "[1, 2, 3]"),
    ],
)
def test_forms(written: str, shown: str) -> None:
    assert filtered(written) == shown


def test_all_go_where_none_are_wanted() -> None:
    assert filtered("冠军是他^[1]^,也有[2]。【3】对。", enabled=False) == "冠军是他,也有。对。"


def test_a_sentence_without_one_gets_that_of_the_source_that_says_the_same() -> None:
    citations = CitationFilter(EVIDENCE, enabled=True)
    text = "2024年巴黎奥运会乒乓球男子单打冠军是樊振东。他很高兴。北京今天最高气温三十一度。"
    shown = citations.feed(text) + citations.flush()
    assert shown == (
        "2024年巴黎奥运会乒乓球男子单打冠军是樊振东^[1]^。他很高兴。北京今天最高气温三十一度^[2]^。"
    )
    assert citations.cited == (1, 2)


@pytest.mark.parametrize("end", ["。", "！", "？", "!", "?"])
def test_a_sentence_ends_with_any_of_its_signs(end: str) -> None:
    text = "樊振东在巴黎奥运会乒乓球男子单打决赛中夺得冠军"
    assert filtered(f"{text}{end}他很高兴。") == f"{text}^[1]^{end}他很高兴。"


def test_own_citation_in_english_and_at_an_open_end() -> None:
    text = "Green tea contains less caffeine than black tea"
    assert filtered(text) == text + "^[3]^"
    assert filtered(text + ". Yes.") == text + "^[3]^. Yes."
    assert filtered("Version 3.11 of it") == "Version 3.11 of it"


def test_the_model_s_own_citation_is_not_doubled() -> None:
    text = "樊振东在巴黎奥运会乒乓球男子单打决赛中夺得冠军"
    for end in ("^[1]^。", "[1]。", "。[1]\n", "【1】!"):
        assert filtered(text + end).count("^[1]^") == 1, end


def test_nothing_is_claimed_of_what_no_source_says() -> None:
    text = "长城是中国古代的伟大防御工程,全长超过两万公里,每年有上千万游客。"
    assert filtered(text) == text


def test_without_sources_every_citation_goes() -> None:
    citations = CitationFilter((), enabled=True)
    assert citations.feed("是他^[1]^。对[2]。") + citations.flush() == "是他。对。"
    assert citations.cited == ()


MIXED = st.lists(
    st.sampled_from(
        [
            *"^[]【】0129,, 、。.!\n`a中。",
            "^[1]^",
            "[1]",
            "[2][3]",
            "【9】",
            "```",
            EVIDENCE[0][6:],
            "^1^",
        ]
    )
    | st.text(max_size=5),
    max_size=30,
).map("".join)


@given(MIXED, st.lists(st.integers(0, 200), max_size=12), st.booleans())
def test_cuts_cannot_matter(text: str, cuts: list[int], enabled: bool) -> None:
    inside = tuple(cut for cut in cuts if cut <= len(text))
    assert filtered(text, enabled=enabled, cuts=inside) == filtered(text, enabled=enabled)


@given(MIXED)
def test_what_leaves_is_a_listed_source_in_the_documented_form(text: str) -> None:
    citations = CitationFilter(EVIDENCE, enabled=True)
    shown = citations.feed(text) + citations.flush()
    outside = re.sub(r"`[^`]*`?", "", shown)
    for group in re.findall(r"\^((?:\[\d+\])+)\^", outside):
        assert all(1 <= int(number) <= 3 for number in re.findall(r"\d+", group))


@given(st.text(max_size=200), st.lists(st.integers(0, 200), max_size=12))
def test_other_text_passes_unchanged(text: str, cuts: list[int]) -> None:
    plain = re.sub(r"[\d\^]", "", text)
    inside = tuple(cut for cut in cuts if cut <= len(plain))
    assert filtered(plain, enabled=False, cuts=inside) == plain


def test_plain_text_is_not_held_back() -> None:
    citations = CitationFilter(EVIDENCE, enabled=True)
    assert citations.feed("你好,今天") == "你好,今天"
    assert citations.feed("怎么样^[") == "怎么样"


def test_it_passes_on_what_is_no_text() -> None:
    citations = CitationFilter(EVIDENCE, enabled=True)
    out = citations([TextDelta("是他"), TextDelta("^[1"), TextDelta("]^。")])
    out += citations([UsageDelta(3, 5), FinishDelta(FinishReason.NORMAL)])
    texts = [delta for delta in out if isinstance(delta, TextDelta)]
    assert "".join(delta.text for delta in texts) == "是他^[1]^。"
    assert UsageDelta(3, 5) in out
    assert out[-1] == FinishDelta(FinishReason.NORMAL)


def test_what_was_said_before_a_call_comes_before_it() -> None:
    citations = CitationFilter(EVIDENCE, enabled=True)
    call = ToolCallDelta(0, "call-1", "clock")
    out = citations([TextDelta("我查一下。"), call, FinishDelta(FinishReason.FUNCTION_CALL)])
    assert out.index(call) == max(
        at + 1 for at, delta in enumerate(out) if isinstance(delta, TextDelta) and delta.text
    )
