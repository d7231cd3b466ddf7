"""A question is searched for in other words, too, but not in all that there are."""

from __future__ import annotations

import tracemalloc

from xinghe.search.synonyms import GROUPS, MOST, ways


def test_words_of_one_meaning_stand_for_one_another() -> None:
    assert ways("怎样新建令牌")[:2] == ["怎样新建令牌", "怎样 创建 令牌"]
    assert ways("天气") == ["天气"]


def test_a_question_with_words_of_many_groups_takes_no_more_memory() -> None:
    """In all of their ways it would be written tens of thousands of times."""
    query = "".join(group[0] for group in GROUPS[:7])
    tracemalloc.start()
    try:
        found = ways(query)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == MOST
    assert most < 64 * 1024
