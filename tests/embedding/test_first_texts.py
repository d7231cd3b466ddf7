"""What is owed for the texts that were begun, of a request in many calls."""

from __future__ import annotations

import pytest

from xinghe.api.embeddings import texts
from xinghe.api.embeddings.texts import FirstTexts
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
