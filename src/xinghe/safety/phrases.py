"""Phrases, and the operator's lists of them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from xinghe.safety.alphabet import PLAIN
from xinghe.safety.folding import fold_quickly

MAX_PHRASE = 80
"""Folded characters in a phrase: an answer is held back by at most one phrase."""
OPERATOR_FLAG = 3
"""How severe an operator's phrase is unless its line says otherwise."""
ALLOW_LIST = "allow.txt"
_SHORTEST_LEET = 4
_LATIN = re.compile("[a-z ]*")


class Phrase(msgspec.Struct, frozen=True):
    """A row of slots, each a choice of folded words or a gap; `flag` 0 shields what it covers.

    A gap is the number of characters that it may be wide; a row begins and ends with a choice.

    `own` marks the operator's: the lexicon's shields do not cover his phrases.
    """

    slots: tuple[tuple[str, ...] | int, ...]
    flag: int
    category: str
    own: bool = False

    @property
    def longest(self) -> int:
        spans = range(len(self.slots))
        return sum(self.gap(at) or max(map(len, self.words(at))) for at in spans)

    @property
    def shortest(self) -> int:
        return sum(min(map(len, self.words(at)), default=0) for at in range(len(self.slots)))

    @property
    def is_leet(self) -> bool:
        """Whether to look for it where digits imitate letters, too."""
        words = "".join(word for at in range(len(self.slots)) for word in self.words(at))
        return self.shortest >= _SHORTEST_LEET and may_be_leet(words)

    @property
    def size(self) -> int:
        """How many phrases the operator or the lexicon's author counts in it."""
        return len(self.words(0)) if len(self.slots) == 1 else 1

    @property
    def is_loose(self) -> bool:
        return any(isinstance(slot, int) for slot in self.slots)

    def words(self, slot: int) -> tuple[str, ...]:
        """The choice at a slot; none where the slot is a gap."""
        choice = self.slots[slot]
        return () if isinstance(choice, int) else choice

    def gap(self, slot: int) -> int:
        """How wide the gap at a slot may be; 0 where the slot is a choice."""
        width = self.slots[slot]
        return width if isinstance(width, int) else 0


class BrokenLine(Exception):
    """A line that is no phrase; the message says why."""


class OperatorList(msgspec.Struct, frozen=True):
    """What a file held: its phrases, and `(line number, reason)` for each broken line."""

    phrases: list[Phrase]
    broken: list[tuple[int, str]]


def read_list(name: str, data: bytes) -> OperatorList:
    """Read an operator's file: UTF-8, a phrase a line, `phrase<TAB>flag`, `#` for comments.

    In `allow.txt` the phrases shield. Broken lines are left out and told.
    """
    words: dict[tuple[int, bool], list[str]] = {}
    broken: list[tuple[int, str]] = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        try:
            read = _read_line(name, line)
        except BrokenLine as error:
            broken.append((number, str(error)))
        else:
            if read:
                word, flag = read
                words.setdefault((flag, may_be_leet(word)), []).append(word)
    category = f"operator/{name.removesuffix('.txt')}"
    # One choice of many words is found as quickly as one word; many phrases are not.
    phrases = [
        Phrase((tuple(dict.fromkeys(choice)),), flag, category, own=True)
        for (flag, _), choice in words.items()
    ]
    return OperatorList(phrases, broken)


def phrases_of(lists: Mapping[str, bytes]) -> list[Phrase]:
    """Of all lists, which come by their names."""
    return [phrase for name in sorted(lists) for phrase in read_list(name, lists[name]).phrases]


def may_be_leet(text: str) -> bool:
    """Whether a folded phrase is worth looking for where digits imitate letters."""
    return len(text) >= _SHORTEST_LEET and _LATIN.fullmatch(text) is not None


def folded_phrase(text: str) -> str:
    """The form in which a phrase is looked for. Raises `BrokenLine`."""
    folded = fold_quickly(text, PLAIN)
    if not folded:
        raise BrokenLine("the phrase holds no letter, digit or Chinese character")
    if len(folded) > MAX_PHRASE:
        raise BrokenLine(f"the phrase has {len(folded)} characters; the range is 1 to {MAX_PHRASE}")
    return folded


def _read_line(name: str, line: bytes) -> tuple[str, int] | None:
    """The folded phrase and its flag; `None` for a line without one. Raises `BrokenLine`."""
    try:
        text = line.decode().strip()
    except UnicodeDecodeError:
        raise BrokenLine("not UTF-8") from None
    if not text or text.startswith("#"):
        return None
    phrase, tab, mark = text.partition("\t")
    mark = mark.strip()
    if name == ALLOW_LIST:
        if tab:
            raise BrokenLine(f"{ALLOW_LIST} takes phrases without a flag")
        flag = 0
    elif not tab:
        flag = OPERATOR_FLAG
    elif mark in {"1", "2", "3", "4"}:
        flag = int(mark)
    else:
        raise BrokenLine(f"flag {mark[:20]!r} is not in 1 to 4")
    return folded_phrase(phrase), flag
