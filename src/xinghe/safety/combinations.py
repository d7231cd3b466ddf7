"""Finds unsafe requests by the words that stand together in a sentence, whatever their order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

import msgspec

from xinghe.safety.folding import LEET, LEET_TEXT, PLAIN, WORD, Alphabet, fold, is_word

NEAR = 48
"""Folded characters on either side of a first word in which the others may stand."""
_SENTENCE = re.compile(r"[。！？!?;；\n\r…]+|\.(?=\s)")
_SHORTEST = 4
"""Fewer characters between two ends are no sentence: 制。造。炸。弹 is one."""
_GAP = re.compile(r"\\\[(\d+)\\\]")
_DENIERS = "不没被过免逃躲反"
"""After one of these a word of protection is none: 不违法, 躲过检测, 绕过防护."""


class Words:
    """Whether one of some folded words, as `words_of` made them an expression, is in a text."""

    __slots__ = ("_compiled", "_pattern")

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._compiled: re.Pattern[str] | None = None

    def stand_in(self, text: str) -> bool:
        if self._compiled is None:  # Late: compiling all of them takes a quarter of a second.
            self._compiled = re.compile(self._pattern)
        return self._compiled.search(text) is not None


@cache
def words_of(words: tuple[str, ...], *, denied: bool = False) -> Words:
    """Equal choices share one expression.

    `[3]` in a word is anything of up to 3 characters, `$` at its end the end of the text. Words
    of scripts with spaces stand alone, or before an "s". With `denied`, a word does not count
    after a character that denies it.
    """
    special = [word for word in words if "[" in word or "$" in word]
    plain = [word for word in words if word not in special]
    parts = [
        _GAP.sub(r".{0,\1}", re.escape(word.removesuffix("$")))
        + (r"\Z" if word.endswith("$") else "")
        for word in special
    ]
    if others := [word for word in plain if not is_word(word[0])]:
        parts.append(_longest_of(others))
    if denied and parts:
        parts = [f"(?<![{_DENIERS}])(?:{'|'.join(parts)})"]
    if spaced := [word for word in plain if is_word(word[0])]:
        parts.append(_alone(_longest_of(spaced)))
    return Words("|".join(parts))


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


class Combinations:
    """A set of them, ready to be looked for; never changed once made."""

    def __init__(self, rules: Iterable[Combination]) -> None:
        known: dict[str, list[Combination]] = {}
        for rule in rules:
            for word in rule.first:
                known.setdefault(word, []).append(rule)
        # A longer word is found in place of the shorter ones within it: it stands for them too.
        self._rules = {
            word: [rule for part in sorted(_parts(word) & known.keys()) for rule in known[part]]
            for word in known
        }
        latin = [word for word in known if word.isascii()]
        others = [word for word in known if not word.isascii()]
        patterns = [_longest_of(others)] if others else []
        patterns += [_alone(f"(?P<latin>{_longest_of(latin)})")] if latin else []
        self._first = re.compile("|".join(patterns) or "(?!)")

    def categories(self, text: str) -> Iterator[str]:
        """The category of each combination found; the same one may come again."""
        for alphabet in (PLAIN, LEET) if LEET_TEXT.search(text) else (PLAIN,):
            if self._first.search(fold(text, alphabet)):
                for sentence in _sentences(text, alphabet):
                    yield from self._in_sentence(sentence)

    def _in_sentence(self, sentence: str) -> Iterator[str]:
        for match in self._first.finditer(sentence):
            around = sentence[max(0, match.start() - NEAR) : match.end() + NEAR]
            for rule in self._rules[match["latin"] or match[0]]:
                if rule.stands_in(around):
                    yield rule.category


def _parts(word: str) -> set[str]:
    size = len(word)
    return {word[low:high] for low in range(size) for high in range(low + 1, size + 1)}


def _sentences(text: str, alphabet: Alphabet) -> Iterator[str]:
    """The folded sentences of a text; what is too short for one goes with what follows."""
    begun = ""
    at = 0
    for end in _SENTENCE.finditer(text):
        begun += fold(text[at : end.start()], alphabet)
        at = end.end()
        if len(begun) >= _SHORTEST:
            yield begun
            begun = ""
    yield begun + fold(text[at:], alphabet)


def _alone(pattern: str) -> str:
    """Where no word goes on before or after."""
    return f"(?<![{WORD}]){pattern}(?: ?s)?(?![{WORD}])"


def _longest_of(words: Iterable[str]) -> str:
    """An expression for the longest of some words; those that begin alike share it."""
    after: dict[str, list[str]] = {}
    ends = False
    for word in words:
        if word:
            after.setdefault(word[0], []).append(word[1:])
        else:
            ends = True
    if not after:
        return ""
    branches = [re.escape(char) + _longest_of(rest) for char, rest in sorted(after.items())]
    return f"(?:{'|'.join(branches)}){'?' if ends else ''}"
