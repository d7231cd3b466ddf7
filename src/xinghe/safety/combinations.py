"""Words that make an unsafe request where they stand together, in any order.

Reads `lexicon/together/`; `lexicon/README.md` tells the notation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import resources

import msgspec

from xinghe.safety.alphabet import PLAIN
from xinghe.safety.lexicon import LexiconError, categories
from xinghe.safety.words import Words

_TERM = re.compile(r"(\w+) = (.+)")
_NOTATION = "[]$ "


class Choice(msgspec.Struct, frozen=True):
    """Words of which one is asked for, in the groups in which they were written."""

    groups: tuple[tuple[str, ...], ...]

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(word for group in self.groups for word in group))


class Combination(msgspec.Struct, frozen=True):
    """Choices of which each has a word near a word of `first`, while `unless` has none."""

    first: tuple[str, ...]
    others: tuple[tuple[Words, ...], ...]
    unless: tuple[Words, ...]
    category: str

    def stands_in(self, text: str) -> bool:
        """Whether what is near a word of `first` makes this combination."""
        return all(any(words.stand_in(text) for words in choice) for choice in self.others) and (
            not any(words.stand_in(text) for words in self.unless)
        )


@cache
def combinations() -> tuple[Combination, ...]:
    """Those that come with the package. Raises `LexiconError`."""
    folder = resources.files(__package__) / "lexicon" / "together"
    shared: dict[str, Choice] = {}
    if [*read_combinations((folder / "terms.txt").read_text("utf-8"), shared, "")]:
        raise LexiconError("terms.txt holds a combination; it takes terms alone")
    return tuple(
        rule
        for name in categories()
        for rule in read_combinations(
            (folder / f"{name}.txt").read_text("utf-8"), dict(shared), name
        )
    )


def read_combinations(
    source: str, terms: dict[str, Choice], category: str
) -> Iterator[Combination]:
    """Yield the combinations of a file; definitions are put into `terms`."""
    for line in map(str.strip, source.splitlines()):
        if not line or line.startswith("#"):
            continue
        if term := _TERM.fullmatch(line):
            terms[term[1]] = _choice(term[2], terms)
            continue
        wanted, _, unwanted = line.partition(" - ")
        first, *others = (_choice(part, terms) for part in wanted.split(" & "))
        if not others:
            raise LexiconError(f"{line!r} asks for one choice alone: that is a phrase")
        unless = _choice(unwanted, terms).groups if unwanted else ()
        if any("[" in word or "$" in word for word in first.words):
            raise LexiconError(f"{line!r} begins with a word that has a gap or an end")
        yield Combination(
            first.words,
            tuple(tuple(map(Words.of, choice.groups)) for choice in others),
            tuple(Words.of(words, denied=True) for words in unless),
            category,
        )


def _choice(text: str, terms: dict[str, Choice]) -> Choice:
    # Terms stay groups of their own: their expressions, the dear part, are made only once.
    groups: list[tuple[str, ...]] = []
    words: list[str] = []
    for part in text.split("|"):
        if not part.startswith("<"):
            words.append(_folded(part))
        elif part.endswith(">") and part[1:-1] in terms:
            groups += terms[part[1:-1]].groups
        else:
            raise LexiconError(f"cannot read {part!r}")
    if words:
        groups.append(tuple(words))
    return Choice(tuple(dict.fromkeys(groups)))


def _folded(word: str) -> str:
    folded = "".join(each if each in _NOTATION else PLAIN[ord(each)] for each in word).strip()
    if not folded:
        raise LexiconError("an empty word would stand everywhere")
    return folded
