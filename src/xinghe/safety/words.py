"""Choices of words as regular expressions that share their beginnings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from xinghe.safety.alphabet import WORD, is_word

_GAP = re.compile(r"\\\[(\d+)\\\]")
_DENIERS = "不没被过免逃躲反"
"""After one of these a word of protection is none: 不违法, 躲过检测, 绕过防护."""


class Words:
    """Whether one of some folded words stands in a folded text.

    `[3]` in a word is anything of up to 3 characters, `$` at its end the end of the text. Words
    of scripts with spaces stand alone, or before an "s". With `denied`, a word does not count
    after a character that denies it.
    """

    __slots__ = ("_compiled", "_pattern")

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._compiled: re.Pattern[str] | None = None

    @staticmethod
    def of(words: tuple[str, ...], *, denied: bool = False) -> Words:
        """Equal choices share one expression."""
        return _words(words, denied)

    def stand_in(self, text: str) -> bool:
        if self._compiled is None:  # Late: compiling all of them takes a quarter of a second.
            self._compiled = re.compile(self._pattern)
        return self._compiled.search(text) is not None


def alone(pattern: str) -> str:
    """Where no word goes on before or after."""
    return f"(?<![{WORD}]){pattern}(?: ?s)?(?![{WORD}])"


def trie(words: Iterable[str]) -> str:
    """An expression for the longest of some words."""
    after: dict[str, list[str]] = {}
    ends = False
    for word in words:
        if word:
            after.setdefault(word[0], []).append(word[1:])
        else:
            ends = True
    if not after:
        return ""
    branches = [re.escape(char) + trie(rest) for char, rest in sorted(after.items())]
    return f"(?:{'|'.join(branches)}){'?' if ends else ''}"


@cache
def _words(words: tuple[str, ...], denied: bool) -> Words:
    special = [word for word in words if "[" in word or "$" in word]
    plain = [word for word in words if word not in special]
    parts = [_gapped(word) for word in special]
    if others := [word for word in plain if not is_word(word[0])]:
        parts.append(trie(others))
    if denied and parts:
        parts = [f"(?<![{_DENIERS}])(?:{'|'.join(parts)})"]
    if spaced := [word for word in plain if is_word(word[0])]:
        parts.append(alone(trie(spaced)))
    return Words("|".join(parts))


def _gapped(word: str) -> str:
    escaped = re.escape(word.removesuffix("$")) + (r"\Z" if word.endswith("$") else "")
    return _GAP.sub(r".{0,\1}", escaped)
