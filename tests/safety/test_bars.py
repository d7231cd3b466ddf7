"""The lexicon on whole sentences: what is harmless passes, what is plainly unsafe does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.safety.lists import sentences
from xinghe.safety import Moderator
from xinghe.safety.lexicon import lexicon


@pytest.fixture(scope="module")
def moderator(tmp_path_factory: pytest.TempPathFactory) -> Moderator:
    return Moderator(tmp_path_factory.mktemp("none"))


def test_harmless_sentences_pass(moderator: Moderator) -> None:
    harmless = sentences("harmless.txt")
    assert len(harmless) >= 200
    assert [each for each in harmless if moderator.check(each)] == []


def test_plainly_unsafe_sentences_are_found(moderator: Moderator) -> None:
    unsafe = [line.split("\t") for line in sentences("unsafe.txt")]
    missed = [text for _, text in unsafe if moderator.check(text) is None]
    assert len(unsafe) >= 200
    assert len(missed) <= 0.05 * len(unsafe), missed


def test_they_are_found_in_every_category(moderator: Moderator) -> None:
    claimed = {phrase.category for phrase in lexicon()}
    assert claimed == {line.split("\t")[0] for line in sentences("unsafe.txt")}
    for category in claimed:
        texts = [
            t for c, t in (each.split("\t") for each in sentences("unsafe.txt")) if c == category
        ]
        found = [text for text in texts if moderator.check(text)]
        assert len(found) >= 0.8 * len(texts), category


def test_minors_and_violence_are_the_most_severe(moderator: Moderator) -> None:
    flags = {phrase.category: phrase.flag for phrase in lexicon() if phrase.flag}
    assert {name for name, flag in flags.items() if flag == 4} == {"minors", "violence"}


def test_without_the_lexicon_nothing_is_found(tmp_path: Path) -> None:
    bare = Moderator(tmp_path, builtin=False)
    assert all(bare.check(line.split("\t")[1]) is None for line in sentences("unsafe.txt"))
