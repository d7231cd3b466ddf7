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
"""A phrase that may have begun: at what character, which kept one and after how many spaces that
was, and how far it has come."""


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
        "_close",
        "_index",
        "_spaces",
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
        self._index = 0  # Of the next folded character.
        self._spaces = 0
        self._strong = -1  # The last one that the end of a clause stands before.
        self._close = -1  # The last one that nothing stands before.

    def as_leet(self, since: int) -> Reading:
        """The same text so far; phrases that began before `since` are left out."""
        other = Reading(self._automaton, LEET)
        other.walks = [walk for walk in self.walks if walk[0] >= since]
        other.open = [hit for hit in self.open if hit.start >= since]
        other.in_word, other.joint, other.end = self.in_word, self.joint, self.end
        other._index, other._spaces = self._index, self._spaces
        other._strong, other._close = self._strong, self._close
        return other

    def read(self, text: str, at: int) -> list[Hit]:
        """Take a piece that begins at `at`, and give the phrases that have become certain."""
        hits: list[Hit] = []
        for folded in map(self._alphabet.__getitem__, map(ord, text)):
            for char in folded:
                if char in _SEPARATORS:
                    if self.joint != STRONG:
                        self.joint = char
                    if self.open:
                        hits += self.ended()
                    continue
                word = char < UNSPACED
                if word and self.in_word:
                    self._part(at)
                if not self.joint:
                    self._close = self._index
                elif self.joint == STRONG:
                    self._strong = self._index
                hits += self._step(char, word, at, at + 1)
                self.joint = ""
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

    def _part(self, at: int) -> None:
        """Between two characters of words: one space for whatever parts them, if anything does."""
        if self.joint:
            self._close = self._index
            self._step(" ", False, self.end, at)
            self._spaces += 1
        else:
            self.open = []

    def _step(self, char: str, word: bool, low: int, high: int) -> list[Hit]:
        """Lead all phrases on by a folded character that stands at `[low, high)`."""
        index, automaton = self._index, self._automaton
        self._index = index + 1
        walks = self.walks
        if not (word and self.in_word):
            walks.append((low, index, self._spaces, automaton.root))
        self.in_word = word
        certain, self.open = self.open, []
        if not walks:
            return certain
        self.walks = []
        hits: list[Hit] = []
        for start, begun, spaces, state in walks:
            following = state.after.get(char) or automaton.step(state, char)
            if following is None:
                continue
            if following.items:
                self.walks.append((start, begun, spaces, following))
            if following.ended:
                size = index + 1 - begun - (self._spaces - spaces)
                hits += [
                    Hit(start, high, phrase)
                    for phrase in (following.latin if self._alphabet is LEET else following.ended)
                    if self._is_together(begun, size, phrase)
                ]
        if word:
            self.open = hits
            return certain
        return certain + hits

    def _is_together(self, begun: int, size: int, phrase: Phrase) -> bool:
        """Whether the ends of clauses inside a hit were put there to break it up.

        结冰。毒蛇 has no 冰毒 in it; 买，卖，冰，毒 has every character parted, and a longer
        phrase seldom arises from the end of one clause and the beginning of the next, unless it
        has gaps.
        """
        if self._strong <= begun:
            return True
        return (size >= 5 and not phrase.is_loose) or (size >= 3 and self._close <= begun)


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
    def earliest(self) -> int:
        """Where the earliest phrase begins that is not complete yet."""
        readings = self._readings()
        return min(
            *(reading.walks[0][0] for reading in readings if reading.walks),
            *(hit.start for reading in readings for hit in reading.open),
            self.at,
            self.at,
        )

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
        if self._leet is None and not LEETISH.search(text):
            self._take(self._plain.read(text, self.at))
            self.at += len(text)
            self._previous = text[-1:]
            return
        for raw in text:
            at = self.at
            if LEETISH.match(raw):
                if self._leet is None:
                    self._leet = self._plain.as_leet(self._sign + 1)
                self._sign = at
            hits = self._plain.read(raw, at)
            if self._leet is not None:
                if LEET_TEXT.search(self._previous + raw):
                    self._pair = at - 1
                hits += [hit for hit in self._leet.read(raw, at) if hit.start <= self._pair]
                if self._reads_alike(self._leet):
                    self._leet = None
            self._previous = raw
            self.at += 1
            self._take(hits)

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
                self.found = [each for each in self.found if not hit.shields(each)]
            elif not any(shield.shields(hit) for shield in self.shields):
                self.found.append(hit)
