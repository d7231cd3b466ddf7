"""Reads a text a character at a time: which phrases stand in it, and what of it may be shown."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from xinghe.safety.folding import (
    LEET,
    LEET_TEXT,
    LEETISH,
    MAX_GAP,
    PLAIN,
    STRONG,
    UNSPACED,
    WEAK,
    Alphabet,
)
from xinghe.safety.phrases import Automaton, Phrase, State
from xinghe.safety.verdict import Verdict

_SEPARATORS = WEAK + STRONG

Walk: TypeAlias = tuple[int, int, int, State]
"""A phrase that may have begun: at what character, which kept one and after how many parted ones
that was, and how far it has come."""


class Hit(msgspec.Struct, frozen=True):
    """A phrase in a text, at the extent `[start, end)` of its characters."""

    start: int
    end: int
    phrase: Phrase

    @property
    def cut(self) -> int:
        """Up to where the text may be shown: a reader never sees a whole phrase.

        Nothing of the operator's is shown. Of the lexicon's the last two characters are not: to
        hold back whatever begins one would make every answer stutter, since phrases begin like
        other sentences do.
        """
        return self.start if self.phrase.own else max(self.start, self.end - 2)

    @property
    def verdict(self) -> Verdict:
        return Verdict(self.phrase.flag, self.phrase.category)

    def shields(self, other: Hit) -> bool:
        return (
            self.start <= other.start
            and other.end <= self.end
            and self.phrase.own >= other.phrase.own
        )


class Reading:
    """One way to read a text: an alphabet, and the phrases under way in what it makes of it.

    Phrases begin and end where words do ("hexagon" has no "hex" in it). One that ends in a word
    is `open` until the text tells whether that word goes on.
    """

    __slots__ = (
        "_alphabet",
        "_automaton",
        "_index",
        "_parted",
        "_strong",
        "end",
        "in_word",
        "joint",
        "open",
        "walks",
    )

    def __init__(self, automaton: Automaton, alphabet: Alphabet) -> None:
        self._automaton = automaton
        self._alphabet = alphabet
        self.walks: list[Walk] = []
        self.open: list[Hit] = []
        self.in_word = False  # Whether the last folded character is a word's.
        self.joint = ""  # What stood in the text since: "", `WEAK` or `STRONG`.
        self.end = 0  # Where the last kept character ends.
        self._index = 0  # Of the next kept character.
        self._parted = 0  # Those that something stands before, words apart.
        self._strong = -1  # The last one that the end of a clause stands before.

    def as_leet(self, since: int) -> Reading:
        """The same text so far; phrases that began before `since` are left out."""
        other = Reading(self._automaton, LEET)
        other.walks = [walk for walk in self.walks if walk[0] >= since]
        other.open = [hit for hit in self.open if hit.start >= since]
        other.in_word, other.joint, other.end = self.in_word, self.joint, self.end
        other._index, other._parted, other._strong = self._index, self._parted, self._strong
        return other

    def read(self, text: str, at: int) -> list[Hit]:
        """Take a piece that begins at `at`, and give the phrases that have become certain."""
        hits: list[Hit] = []
        root = self._automaton.root
        firsts = root.firsts
        for folded in map(self._alphabet.__getitem__, map(ord, text)):
            for char in folded:
                if char in _SEPARATORS:
                    hits += self.ended()
                    if self.joint != STRONG:
                        self.joint = char
                    continue
                word = char < UNSPACED
                if self.joint or self.open:
                    hits += self._join(word)
                if char in firsts and not (word and self.in_word):
                    self.walks.append((at, self._index, self._parted, root))
                if self.walks:
                    hits += self._step(char, word, at + 1)
                self.in_word = word
                self._index += 1
                self.end = at + 1
            at += 1
            if at - self.end > MAX_GAP:
                hits += self.ended()
                self.walks = []
                self.in_word = False
        return hits

    def ended(self) -> list[Hit]:
        """The phrases that were open, and are certain if no word goes on here."""
        hits, self.open = self.open, []
        return hits

    def _join(self, word: bool) -> list[Hit]:
        """Before a kept character that does not merely follow the last one."""
        if self.joint == STRONG:
            self._strong = self._index
        if not self.joint:
            if word:
                self.open = []  # The word goes on.
        elif word and self.in_word:
            self._step(" ", False, self.end)
            self.in_word = False
        else:
            self._parted += 1
        self.joint = ""
        return self.ended()

    def _step(self, char: str, word: bool, end: int) -> list[Hit]:
        """Lead all phrases on by a folded character that ends at `end`."""
        step = self._automaton.step
        walks: list[Walk] = []
        hits: list[Hit] = []
        for start, begun, parted, state in self.walks:
            following = state.after.get(char) or step(state, char)
            if following is None:
                continue
            if following.items:
                walks.append((start, begun, parted, following))
            if following.ended:
                hits += [
                    Hit(start, end, phrase)
                    for phrase in (following.latin if self._alphabet is LEET else following.ended)
                    if self._is_together(begun, parted, phrase)
                ]
        self.walks = walks
        if word:
            self.open = hits
            return []
        return hits

    def _is_together(self, begun: int, parted: int, phrase: Phrase) -> bool:
        """Whether the ends of clauses inside a hit were put there to break it up.

        结冰。毒蛇 has no 冰毒 in it; 买，卖，冰，毒 has every character parted, and a longer
        phrase seldom arises from the end of one clause and the beginning of the next, unless it
        has gaps.
        """
        if self._strong <= begun:
            return True
        size = self._index + 1 - begun
        return (size >= 5 and not phrase.is_loose) or (
            size >= 3 and self._parted - parted == size - 1
        )


class Scan:
    """Finds the phrases of an automaton in one text, however it is cut into pieces.

    `found` are the banned ones that nothing shields so far, in the order in which they end.
    """

    __slots__ = ("_leet", "_pair", "_plain", "_previous", "_sign", "at", "found", "shields")

    def __init__(self, automaton: Automaton) -> None:
        self.found: list[Hit] = []
        self.shields: list[Hit] = []
        self.at = 0
        """The characters read."""
        self._plain = Reading(automaton, PLAIN)
        self._leet: Reading | None = None
        self._previous = " "
        self._sign = -1  # Where the last digit or sign stands that may be a letter,
        self._pair = -1  # and the last one beside a letter, or that letter if it comes first.

    @property
    def verdict(self) -> Verdict | None:
        """That of the phrase which begins first, the most severe of those that begin there.

        `None` while a shield may yet cover it, or one that begins no later is not complete.
        """
        if not self.found:
            return None
        first = min(hit.start for hit in self.found)
        for reading in self._readings():
            if reading.walks and reading.walks[0][0] <= first:
                return None
            if any(hit.start <= first for hit in reading.open):
                return None
        worst = max((h for h in self.found if h.start == first), key=lambda hit: hit.phrase.flag)
        return worst.verdict

    @property
    def safe(self) -> int:
        """The characters that may be shown: as many whatever the pieces, and never fewer again."""
        safe = self.at
        for reading in self._readings():
            for start, _, _, state in reading.walks:
                if state.own:
                    safe = min(safe, start)
                elif state.near:
                    safe = min(safe, self.at - 1)
            for hit in reading.open:
                if hit.phrase.flag:
                    safe = min(safe, hit.cut)
        for hit in self.found:
            safe = min(safe, hit.cut)
        return safe

    def read(self, text: str) -> None:
        """Take the next piece of the text."""
        low = 0
        while low < len(text):
            sign = LEETISH.search(text, low)
            if self._leet is None and (sign is None or sign.start() > low):
                high = sign.start() if sign else len(text)
                self._take(self._plain.read(text[low:high], self.at))
                self._previous = text[high - 1]
            else:
                high = low + 1
                self._read_sign(text[low], sign is not None and sign.start() == low)
            self.at += high - low
            low = high

    def _read_sign(self, raw: str, is_sign: bool) -> None:
        """Take a character that is a sign, or stands where one matters, in both ways."""
        if self._leet is None:
            self._leet = self._plain.as_leet(self._sign + 1)
        if is_sign:
            self._sign = self.at
        if LEET_TEXT.search(self._previous + raw):
            self._pair = self.at - 1
        leet = [hit for hit in self._leet.read(raw, self.at) if hit.start <= self._pair]
        self._take(sorted(self._plain.read(raw, self.at) + leet, key=lambda hit: hit.end))
        self._previous = raw
        if self._reads_alike(self._leet):
            self._leet = None

    def end(self) -> None:
        """No more comes: what is not complete never will be."""
        for reading in self._readings():
            self._take(reading.ended())
            reading.walks = []

    def _readings(self) -> tuple[Reading, ...]:
        return (self._plain, self._leet) if self._leet else (self._plain,)

    def _reads_alike(self, leet: Reading) -> bool:
        """Whether nothing under way has a sign in it, so that both ways come to the same."""
        plain, sign = self._plain, self._sign
        return (
            not (leet.walks and leet.walks[0][0] <= sign)
            and not (leet.open and leet.open[0].start <= sign)
            and (leet.end, leet.joint, leet.in_word) == (plain.end, plain.joint, plain.in_word)
        )

    def _take(self, hits: list[Hit]) -> None:
        for hit in hits:
            if not hit.phrase.flag:
                self.shields.append(hit)
                recent = _behind(self.found, hit.start)
                self.found[recent:] = [h for h in self.found[recent:] if not hit.shields(h)]
            else:
                recent = _behind(self.shields, hit.end - 1)
                if not any(shield.shields(hit) for shield in self.shields[recent:]):
                    self.found.append(hit)


def _behind(hits: list[Hit], at: int) -> int:
    """From which one on hits, which come in the order of their ends, end behind `at`."""
    place = len(hits)
    while place and hits[place - 1].end > at:
        place -= 1
    return place
