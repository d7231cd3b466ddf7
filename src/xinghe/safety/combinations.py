"""Finds unsafe requests by the words that stand together in a sentence, whatever their order."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, cached_property, partial

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
    """Some folded words, as an expression that finds the longest of them; `pattern` writes it."""

    def __init__(self, pattern: Callable[[], str]) -> None:
        self._pattern = pattern

    @cached_property
    def expression(self) -> re.Pattern[str]:
        """Made late: most are never asked for, and all of them take a third of a second."""
        return re.compile(self._pattern())

    def stand_in(self, text: str) -> bool:
        return self.expression.search(text) is not None


@cache
def words_of(words: tuple[str, ...], *, denied: bool = False) -> Words:
    """Equal choices share one expression.

    `[3]` in a word is anything of up to 3 characters, `$` at its end the end of the text. Words
    of scripts with spaces stand alone, or before an "s". With `denied`, a word does not count
    after a character that denies it.
    """
    return Words(partial(_any_of, words, denied))


def _any_of(words: tuple[str, ...], denied: bool) -> str:
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
    return "|".join(parts)


class Combination(msgspec.Struct, frozen=True):
    """Choices of which each has a word near a word of `first`, while `unless` has none."""

    first: tuple[str, ...]
    others: tuple[tuple[Words, ...], ...]
    unless: tuple[Words, ...]
    category: str

    def stands_in(self, text: str) -> bool:
        """Whether what is near a word of `first` makes this combination."""
        for choice in self.others:
            for words in choice:
                if words.stand_in(text):
                    break
            else:
                return False
        return not any(words.stand_in(text) for words in self.unless)


class Combinations:
    """A set of them, ready to be looked for; never changed once made."""

    def __init__(self, rules: Iterable[Combination]) -> None:
        known: dict[str, list[Combination]] = {}
        for rule in rules:
            for word in rule.first:
                known.setdefault(word, []).append(rule)
        self._known = known
        self._rules: dict[str, list[Combination]] = {}
        # One expression for all of them would try each at every character.
        self._words = {
            char: Words(partial(_first_of, words)) for char, words in _by_first(known).items()
        }
        firsts = "".join(map(re.escape, self._words))
        self._first = re.compile(f"[{firsts}]" if firsts else "(?!)")

    def categories(self, text: str) -> Iterator[str]:
        """The category of each combination found; the same one may come again."""
        for alphabet in (PLAIN, LEET) if LEET_TEXT.search(text) else (PLAIN,):
            for sentence in _sentences(text, alphabet):
                yield from self._in_sentence(sentence)

    def _in_sentence(self, sentence: str) -> Iterator[str]:
        end = 0
        for first in self._first.finditer(sentence):
            at = first.start()
            match = at >= end and self._words[first[0]].expression.match(sentence, at)
            if match:
                end = match.end()
                around = sentence[max(0, at - NEAR) : end + NEAR]
                for rule in self._rules_of(match[match.lastindex or 0]):
                    if rule.stands_in(around):
                        yield rule.category

    def _rules_of(self, word: str) -> list[Combination]:
        """Those whose first is this word, which stands for the shorter ones within it, too."""
        rules = self._rules.get(word)
        if rules is None:
            parts = sorted(_parts(word) & self._known.keys())
            rules = self._rules[word] = [rule for part in parts for rule in self._known[part]]
        return rules


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


def _first_of(words: Iterable[str]) -> str:
    """An expression whose one group that matches is the longest of some words."""
    latin: list[str] = []
    others: list[str] = []
    for word in words:
        (latin if word.isascii() else others).append(word)
    patterns = [f"({_longest_of(others)})"] if others else []
    patterns += [_alone(f"({_longest_of(latin)})")] if latin else []
    return "|".join(patterns)


def _longest_of(words: Iterable[str]) -> str:
    """An expression for the longest of some words; those that begin alike share it."""
    after = _by_first(words)
    branches = [
        re.escape(char) + _longest_of(word[1:] for word in begun)
        for char, begun in sorted(after.items())
        if char
    ]
    return f"(?:{'|'.join(branches)}){'?' if '' in after else ''}" if branches else ""


def _by_first(words: Iterable[str]) -> dict[str, list[str]]:
    """The words by their first characters."""
    known: dict[str, list[str]] = {}
    for word in words:
        known.setdefault(word[:1], []).append(word)
    return known
