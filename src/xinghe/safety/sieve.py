"""Passes over text in which no phrase can stand, by native code: hardly any has to be read.

Why nothing is missed. A reader (`reading`) follows a phrase through the folded characters of a
text and the single spaces between its words; the sieve writes down just these as one row, with
digits read as letters, so that it serves both alphabets (`@` and `$`, separators in one of them,
are tried in both ways). So what the reader finds stands in the row as it is written: it ends in
one of the phrase's ends, and holds a word of each choice before, no further back than the phrase
is long. What the reader holds back of the lexicon's is a phrase without its last character: it
ends in an end without that one, at the end of the row, or, where that is the gap before an end of
one character, it has been held back since the phrase as far as the gap was complete, which is
sought like a phrase. What he holds back of the operator's is a beginning: a head stands in the
row, or the beginning of one at its end, or it was held back before. A phrase that goes on from
text held back is his in any case: while anything is, he reads. Where none of this stands, he
would find nothing, and hold nothing back.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

import msgspec
from ahocorasick_rs import AhoCorasick

from xinghe.safety.folding import (
    CACHED_BELOW,
    LEET_DIGITS,
    MAX_GAP,
    PLAIN,
    STRONG,
    UNSPACED,
    WEAK,
    WORD,
    is_word,
)
from xinghe.safety.phrases import Phrase

_END = 6
"""Characters of an end that are sought."""
_HEAD = 4
"""Characters of a head, the beginning of an operator's phrase."""
_MOST_HEADS = 1000
"""Where there would be more, shorter ones are sought, down to two characters: the interpreter waits
some milliseconds while the matcher of so many, and of their beginnings, is made."""
_ROW_ENDS = "\n"
"""Stands in no row."""
_NOTHING = "\0"
"""Stands in a row for a character that folds to nothing."""
_SIGNS = {"@": "@", "＠": "@", "$": "$", "＄": "$"}
_AS_SPACES, _AS_LETTERS = str.maketrans("@$", "  "), str.maketrans("@$", "as")
_JOINTS = WEAK + _NOTHING
_NOT_KEPT = _JOINTS + "@$"
_FAR = re.compile(f"{_NOTHING}{{{MAX_GAP + 1},}}")
_SPACES = re.compile("  +")
_LOOSE = re.compile(f"(?<![{WORD}]) | (?=[^{WORD}])")

Slots: TypeAlias = Sequence[tuple[str, ...] | int]


_COMPILED_AFTER = 50
"""Questions after which an expression has paid: making all would hold the loop some tenths of a
second, and one text may ask for many."""


class _Row(dict[int, str]):
    """How `str.translate` writes a text into a row."""

    def __missing__(self, code: int) -> str:
        row = PLAIN[code].replace(STRONG, WEAK).translate(LEET_DIGITS) or _NOTHING
        row = _SIGNS.get(chr(code), row)
        if code < CACHED_BELOW:
            self[code] = row
        return row


_ROW = _Row()


class Choice:
    """Words of which one must stand in a row."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self._asked = 0
        self._search: Callable[[str, int, int], re.Match[str] | None] | None = None

    def stands_in(self, row: str, low: int, end: int) -> bool:
        """Whether one does, at `[low, end)`."""
        if self._search is None:
            self._asked += 1
            if self._asked <= _COMPILED_AFTER:
                return any(row.find(word, low, end) >= 0 for word in self.words)
            self._search = re.compile("|".join(map(re.escape, self.words))).search
        return self._search(row, low, end) is not None


class Need(msgspec.Struct, frozen=True):
    """What else must stand in a row for a phrase to be there: a word of each choice.

    They stand at most `reach` characters before its end. With `starts`, it begins a word. `foreign`
    tells that a row of ASCII lacks such a word. What `lasts` matters so near a row's end alone.
    """

    choices: tuple[Choice, ...]
    reach: int
    starts: bool = False
    foreign: bool = False
    lasts: int = 0

    def is_met(self, row: str, begin: int, end: int) -> bool:
        """Whether it stands there, where something sought stands at `[begin, end)`."""
        if self.starts and begin and is_word(row[begin - 1]):
            return False
        if (self.foreign and row.isascii()) or (self.lasts and end + self.lasts < len(row)):
            return False
        low = max(0, end - self.reach)
        return all(choice.stands_in(row, low, end) for choice in self.choices)


class Needs:
    """Those of the phrases of which one thing is sought: one of them is enough."""

    def __init__(self, needs: Sequence[Need]) -> None:
        self._each = tuple(needs)
        self._reach = max(need.reach for need in self._each)
        firsts = [need.choices[0] if need.choices else None for need in self._each]
        # A word of the first choice of any: mostly there is none, and no need has to be looked at.
        self._first: Choice | None = None
        if len(firsts) > 1 and None not in firsts:
            self._first = Choice(
                sorted({word for first in firsts if first for word in first.words})
            )

    def are_met(self, row: str, begin: int, end: int) -> bool:
        """Whether one is, where the thing stands at `[begin, end)`."""
        if self._first and not self._first.stands_in(row, max(0, end - self._reach), end):
            return False
        return any(need.is_met(row, begin, end) for need in self._each)


class Sieve:
    """Tells whether a phrase may stand in a text, or be held back at its end."""

    def __init__(self, phrases: Sequence[Phrase]) -> None:
        # More than the kept characters of any, shields included; and of those that go on where a
        # character stands of a script that does not part words.
        self._reach = 2 + max((phrase.longest for phrase in phrases), default=0)
        unspaced = (phrase.longest for phrase in phrases if not phrase.is_spaced)
        self._reach_unspaced = 2 + max(unspaced, default=0)
        self._kept = self._reach + _END + MAX_GAP + 1
        banned = [phrase for phrase in phrases if phrase.flag]
        lexicon = tuple(phrase for phrase in banned if not phrase.own)
        own = [phrase for phrase in banned if phrase.own]
        heads = _heads_of(own)
        self.helps = len(heads) <= _MOST_HEADS
        """Else hardly anything passes, as lists with so many heads have some in any text."""
        self._sought = []
        if lexicon and self.helps:
            self._sought.append(_of_lexicon(lexicon))
        if heads and self.helps:
            self._sought.append(_of_operator(heads))

    def sift(self, rows: str, text: str, *, shown: bool) -> tuple[str, bool]:
        """The row, as far as it matters, with `text` behind it, and whether something may stand.

        Begin with an empty one, and pass on what comes back: behind a sign, a row for each way to
        read it. If it is not `shown` up to here, nothing needs to be held back.
        """
        fresh = text.translate(_ROW)
        if "\n" not in rows and "@" not in fresh and "$" not in fresh:
            return self._sift(rows, fresh, shown)
        plain, _, leet = rows.partition("\n")
        leet, in_leet = self._sift(leet or plain, fresh.translate(_AS_LETTERS), shown)
        plain, in_plain = self._sift(plain, fresh.translate(_AS_SPACES), shown)
        return plain if plain == leet else f"{plain}\n{leet}", in_plain or in_leet

    def last_of(self, text: str) -> str:
        """The end of a text, so much of it that no phrase from before reaches the end of that."""
        size, most = self._reach_unspaced, self._reach * (MAX_GAP + 1)
        while size < min(most, len(text)):
            row = text[-size:].translate(_ROW)
            reach = self._reach if max(row) < UNSPACED else self._reach_unspaced
            short = reach - len(row) + sum(map(row.count, _NOT_KEPT))
            if short <= 0:
                break
            size += short + short // 4 + 1
        return text[-size:]

    def _sift(self, row: str, fresh: str, shown: bool) -> tuple[str, bool]:
        before = len(row)
        if (row[-1:] + fresh).isalnum():
            row += fresh
        else:
            before = len(row.rstrip(_JOINTS))
            last = max(0, before - 1)
            row = row[:last] + _closed(row[last:] + fresh)
        for sought in self._sought:
            if sought.may_stand(row, before, shown):
                return row[-self._kept :], True
        return row[-self._kept :], False


class Sought:
    """What is sought in a row, and at its end, each with what else it takes."""

    def __init__(self, inside: Mapping[str, list[Need]], at_end: Mapping[str, list[Need]]) -> None:
        found = {**inside, **{end + _ROW_ENDS: needs for end, needs in at_end.items()}}
        # Most are sought for one phrase, which ends in many ways: they share its needs.
        known: dict[tuple[int, ...], Needs] = {}
        self._needs = []
        for needs in found.values():
            same = tuple(map(id, needs))
            if same not in known:
                known[same] = Needs(needs)
            self._needs.append(known[same])
        self._find = AhoCorasick(found).find_matches_as_indexes

    def may_stand(self, row: str, before: int, shown: bool) -> bool:
        """Whether a phrase may end behind `before`, or, if `shown`, be held back at the end."""
        row = row.rstrip(_JOINTS)
        low = before - _END if before > _END else 0
        looked_at = row[low:] + _ROW_ENDS if shown else row[low:]
        for index, begin, end in self._find(looked_at, overlapping=True):
            if low + end > before and self._needs[index].are_met(row, low + begin, low + end):
                return True
        return False


@lru_cache(4)
def _of_lexicon(phrases: tuple[Phrase, ...]) -> Sought:
    """Made once: the operator's lists change, this does not."""
    inside = defaultdict[str, list[Need]](list)
    at_end = defaultdict[str, list[Need]](list)
    choices: dict[tuple[str, ...], Choice] = {}
    for phrase in phrases:
        for ends, shorn, before, lasts in _ends_of([_in_row(slot) for slot in phrase.slots]):
            asked = [choices.setdefault(words, Choice(words)) for words in _asked(before)]
            foreign = any(not any(map(str.isascii, choice.words)) for choice in asked)
            need = Need(tuple(asked), phrase.longest, foreign=foreign, lasts=lasts)
            for end in ends:
                inside[end].append(need)
            for end in shorn:
                at_end[end].append(need)
    return Sought(inside, at_end)


def _of_operator(heads: set[str]) -> Sought:
    inside = defaultdict[str, list[Need]](list)
    at_end = defaultdict[str, list[Need]](list)
    needs = {begins_word: Need((), 0, starts=begins_word) for begins_word in (False, True)}
    for head in heads:
        need = needs[is_word(head[0])]
        inside[head.rstrip()].append(need)
        for most in range(1, len(head)):
            at_end[head[:most].rstrip()].append(need)
    return Sought(inside, at_end)


def _heads_of(phrases: Sequence[Phrase]) -> set[str]:
    """The first characters of what they stand for, in rows: as many as there is room for."""
    heads = {head for phrase in phrases for head in _begun(phrase.slots)}
    size = _HEAD
    while len(heads) > _MOST_HEADS and size > 2:
        size -= 1
        heads = {head[:size] for head in heads}
    return heads


def _begun(slots: Slots) -> set[str]:
    heads, whole = {""}, set[str]()
    for slot in map(_in_row, slots):
        if isinstance(slot, int) or not heads:
            break
        heads = {(head + word)[:_HEAD] for head in heads for word in slot}
        whole |= {head for head in heads if len(head) == _HEAD}
        heads -= whole
    return whole | heads


def _ends_of(slots: Slots) -> Iterator[tuple[set[str], set[str], Slots, int]]:
    """What a phrase ends in, the same without the last character, and the slots before.

    And where it may lack no more than its last character: `lasts` characters behind a gap's begin.
    """
    ends, at = {""}, len(slots)
    while at and not isinstance(slot := slots[at - 1], int) and not all(map(_shorn, ends)):
        ends, at = {(word + end)[-_END:] for end in ends for word in slot}, at - 1
    before = slots[:at]
    shorn = {_shorn(end) for end in ends}
    # One that has another for its own end stands where that one does.
    least = {end for end in ends if not any(end[low:] in ends for low in range(1, len(end)))}
    yield least - {""}, shorn - {""}, before, 0
    while before and isinstance(before[-1], int):
        before = before[:-1]
    if before and "" in ends:
        yield from _ends_of(before)
    elif before and "" in shorn:
        lasts = sum(map(_longest, slots[len(before) :]))
        yield from ((earlier, set(), first, lasts) for earlier, _, first, _ in _ends_of(before))


def _longest(slot: tuple[str, ...] | int) -> int:
    return slot if isinstance(slot, int) else max(map(len, slot))


def _shorn(end: str) -> str:
    """An end without its last character: behind a word's, another may come with its space."""
    return end[:-1].rstrip()


def _asked(slots: Slots) -> list[tuple[str, ...]]:
    """The choices of which a word must stand, those of long and of few words first."""
    asked = []
    for slot in slots:
        if not isinstance(slot, int) and all(words := {word.strip() for word in slot}):
            asked.append(tuple(sorted(words)))
    return sorted(asked, key=lambda words: (-min(map(len, words)), len(words)))


def _in_row(slot: tuple[str, ...] | int) -> tuple[str, ...] | int:
    """A slot as it is written in a row."""
    return slot if isinstance(slot, int) else tuple(word.translate(LEET_DIGITS) for word in slot)


def _closed(row: str) -> str:
    """With single spaces, and between words alone; at the end joints stay, as a word may follow."""
    nothing = ""
    if _NOTHING in row:
        row = _FAR.sub(" ", row)  # So far apart, what follows begins a word.
        nothing = row[len(row.rstrip(_NOTHING)) :]
        row = row.replace(_NOTHING, "")
    if "  " in row:
        row = _SPACES.sub(" ", row)
    if " " in row and not row.isascii():
        row = _LOOSE.sub("", row)
    return row + nothing
