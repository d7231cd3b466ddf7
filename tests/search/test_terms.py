"""Character pairs and words: whatever stands in a text is found by any part of it."""

from __future__ import annotations

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinghe.search.terms import (
    MAX_TERMS,
    coverage,
    fuse,
    match_expression,
    passages,
    query_terms,
    terms,
)

HAN = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("内容审核", ["内容", "容审", "审核", "核"]),
        ("税", ["税"]),
        ("Max_Completion-Tokens 3.5", ["max", "completion", "tokens", "3", "5"]),
        ("用GPT写", ["用", "gpt", "写"]),
        ("ABC 123", ["abc", "123"]),
        ("𠮷野家", ["𠮷野", "野家", "家"]),
        ("!?。,", []),
        ("", []),
    ],
)
def test_terms(text: str, found: list[str]) -> None:
    assert terms(text) == found


def test_a_question_is_searched_for_by_what_its_answer_says() -> None:
    assert query_terms("怎么创建访问令牌?") == ["创建", "建访", "访问", "问令", "令牌"]
    assert query_terms("什么") == ["什么"]
    assert match_expression("税") == '"税"*'
    assert match_expression("?!") is None
    assert len(query_terms("".join(map(chr, range(0x4E00, 0x4F00))))) == MAX_TERMS


@given(HAN, HAN, HAN)
def test_any_part_of_a_chinese_text_finds_it(before: str, part: str, after: str) -> None:
    assert found(before + part + after, part)


@given(st.text(max_size=60))
def test_no_query_is_a_syntax_error(query: str) -> None:
    found("任何文字", query)


@given(st.text(max_size=40))
def test_a_text_covers_itself(text: str) -> None:
    own = set(terms(text))
    assert coverage(own, own) == (1.0 if own else 0.0)


@given(st.text(max_size=3000), st.integers(10, 500))
def test_passages_are_the_text(text: str, size: int) -> None:
    cut = passages(text, size)
    assert "".join(each.text for each in cut) == text
    assert all(0 < len(each.text) <= size * 3 // 2 for each in cut)


@pytest.mark.parametrize("end", "。！？；!?;")
def test_passages_end_with_a_sentence(end: str) -> None:
    text = f"{'月' * 15}{end}" * 6
    assert all(each.text.endswith(end) for each in passages(text, 20))


def test_passages_know_their_headings() -> None:
    text = "# 甲\n一\n## 乙\n二\n```\n# 不是标题\n```\n## 丙\n三\n# 丁\n四\n"
    assert [each.heading for each in passages(text)] == ["甲", "甲 / 乙", "甲 / 丙", "丁"]


@given(st.lists(st.lists(st.integers(0, 9), unique=True, max_size=8), max_size=4))
def test_fusion_ranks_everything_once(rankings: list[list[int]]) -> None:
    fused = fuse(rankings)
    assert len(fused) == len(set(fused))
    assert set(fused) == {item for ranking in rankings for item in ranking}
    if rankings and all(ranking == rankings[0] for ranking in rankings):
        assert fused == rankings[0]


def found(text: str, query: str) -> bool:
    connection = apsw.Connection(":memory:")
    connection.execute(
        "CREATE VIRTUAL TABLE t USING fts5 "
        "(body, tokenize = 'porter unicode61 remove_diacritics 0')"
    )
    connection.execute("INSERT INTO t VALUES (?)", (" ".join(terms(text)),))
    expression = match_expression(query)
    if expression is None:
        return False
    rows = list(connection.execute("SELECT rowid FROM t WHERE t MATCH ?", (expression,)))
    return bool(rows)
