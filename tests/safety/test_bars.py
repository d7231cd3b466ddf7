"""The lexicon on whole sentences: what is harmless passes, what is plainly unsafe does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from opencc import OpenCC

from tests.safety.lists import sentences
from xinghe.safety import Moderator
from xinghe.safety.lexicon import lexicon


@pytest.fixture(scope="module")
def moderator() -> Moderator:
    return Moderator()


@pytest.mark.parametrize("name", ["harmless.txt", "nearmiss.txt"])
def test_harmless_sentences_pass(moderator: Moderator, name: str) -> None:
    harmless = sentences(name)
    assert len(harmless) >= 300
    assert [each for each in harmless if moderator.check(each)] == []


@pytest.mark.parametrize("name", ["unsafe.txt", "development.txt", "heldout.txt"])
def test_plainly_unsafe_sentences_are_found(moderator: Moderator, name: str) -> None:
    unsafe = [line.split("\t") for line in sentences(name)]
    missed = [text for _, text in unsafe if moderator.check(text) is None]
    assert len(unsafe) >= 200
    # Of those that were never used for mending the number alone is told.
    assert len(missed) <= 0.05 * len(unsafe), len(missed) if name == "heldout.txt" else missed


FORMS: dict[str, Callable[[str], str]] = {
    "full-width": lambda text: text.translate({code: code + 0xFEE0 for code in range(33, 127)}),
    "spaced": lambda text: "".join(f"{each} " if each > "\u2e80" else each for each in text),
    "parted": lambda text: "".join(f"{each}*" if each > "\u2e80" else each for each in text),
    "traditional": OpenCC("s2t").convert,
    "Taiwanese": OpenCC("s2tw").convert,
    "homoglyphs": lambda text: text.translate(str.maketrans("aeiopcx", "аеіорсх")),
    "digits": lambda text: text.translate(str.maketrans("oie", "013")),
    "upper case": str.upper,
    "invisible": "\u200b".join,
}


@pytest.mark.parametrize("form", FORMS)
def test_they_are_found_however_they_are_written(moderator: Moderator, form: str) -> None:
    unsafe = [FORMS[form](line.split("\t")[1]) for line in sentences("heldout.txt")]
    found = sum(moderator.check(text) is not None for text in unsafe)
    assert found >= 0.95 * len(unsafe)


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


def test_without_the_lexicon_nothing_is_found() -> None:
    bare = Moderator(builtin=False)
    assert all(bare.check(line.split("\t")[1]) is None for line in sentences("unsafe.txt"))
