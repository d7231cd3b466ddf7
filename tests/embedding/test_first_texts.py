"""What is owed for the texts that were begun, of a request in many calls."""

from __future__ import annotations

import pytest

from xinghe.api.embeddings import texts
from xinghe.api.embeddings.texts import FirstTexts, counted_tokens
from xinghe.engines.prompts import estimated_tokens

TEXTS = ["推荐一些美食", "two words", "", "一", "😀", "and some more"]


def test_the_first_so_many() -> None:
    first = FirstTexts(TEXTS)
    for upto in range(1, len(TEXTS) + 1):
        assert first.tokens(upto) == sum(map(estimated_tokens, TEXTS[:upto]))


def test_fewer_than_were_begun_are_those_that_were() -> None:
    first = FirstTexts(TEXTS)
    assert first.tokens(4) == first.tokens(2) == first.tokens(4)


def test_nothing_costs_one() -> None:
    assert FirstTexts([" "]).tokens(1) == 1


@pytest.mark.parametrize("text", ["x" * 2000, "。" * 2000, "https://" + "a" * 1992])
def test_a_long_text_of_few_words_counts_its_characters(text: str) -> None:
    assert counted_tokens([text]) <= 3
    assert counted_tokens([text], 2000) <= 3
    assert counted_tokens([text], 1999) == FirstTexts([text], 1999).tokens(1) == 250
    words = "some more words " * 200
    rest = ["你好", words]
    assert counted_tokens([text, *rest], 1999) == 250 + estimated_tokens("\n".join(rest))


def test_each_text_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anew for each call, a request of 2048 texts would hold others up for seconds."""
    seen: list[str] = []

    def estimated(text: str) -> int:
        seen.append(text)
        return len(text)

    monkeypatch.setattr(texts, "estimated_tokens", estimated)
    first = FirstTexts(["a"] * 2048)
    for upto in range(16, 2049, 16):
        first.tokens(upto)
    assert sum(text.count("a") for text in seen) == 2048
