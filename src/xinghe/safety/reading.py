"""One way to read a text: which phrases stand in it."""

from __future__ import annotations

from copy import copy
from typing import TypeAlias

import msgspec

from xinghe.safety.folding import LEET, MAX_GAP, STRONG, UNSPACED, WEAK, Alphabet
from xinghe.safety.phrases import Automaton, Phrase, State
from xinghe.safety.verdict import Verdict

_SEPARATORS = WEAK + STRONG

Walk: TypeAlias = tuple[int, int, int, State]
"""A phrase that may have begun: at what character, which kept one and after how many parted ones
that was, and how far it has come."""


class Hit(msgspec.Struct, frozen=True):
    """A phrase in a text, at the extent `[start, end)` of its characters.

    `hidden` are the last ones of the lexicon's that are not shown.
    """

    start: int
    end: int
    phrase: Phrase
    hidden: int = 2

    @property
    def cut(self) -> int:
        """Up to where the text may be shown: a reader never sees a whole phrase.

        Nothing of the operator's is shown. Of the lexicon's the last two characters are not, or
        the last one where it stands for several (ﬀ): what came before it was not near the end. To
        hold back whatever begins one would make every answer stutter, since phrases begin like
        other sentences do.
        """
        return self.start if self.phrase.own else max(self.start, self.end - self.hidden)

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
    is `open` until the text tells whether that word goes on. Of what is before `at`, nothing is
    known.
    """

    __slots__ = (
        "_alphabet",
        "_automaton",
        "_end",
        "_in_word",
        "_index",
        "_joint",
        "_parted",
        "_strong",
        "open",
        "walks",
    )

    def __init__(self, automaton: Automaton, alphabet: Alphabet, at: int = 0) -> None:
        self._automaton = automaton
        self._alphabet = alphabet
        self.walks: list[Walk] = []
        self.open: list[Hit] = []
        # Whether the last folded character is a word's: where reading begins later, it may be.
        self._in_word = at > 0
        self._joint = ""  # What stood in the text since: "", `WEAK` or `STRONG`.
        self._end = at  # Where the last kept character ends.
        self._index = 0  # Of the next kept character.
        self._parted = 0  # Those that something stands before, words apart.
        self._strong = -1  # The last one that the end of a clause stands before.

    def as_leet(self, since: int) -> Reading:
        """The same text so far; phrases that began before `since` are left out."""
        other = copy(self)
        other._alphabet = LEET
        other.walks = [walk for walk in self.walks if walk[0] >= since]
        other.open = [hit for hit in self.open if hit.start >= since]
        return other

    def has_begun_by(self, at: int) -> bool:
        """Whether a phrase under way began at `at` or before."""
        begun = [walk[0] for walk in self.walks[:1]] + [hit.start for hit in self.open[:1]]
        return min(begun, default=at + 1) <= at

    def stands_as(self, other: Reading) -> bool:
        """Whether what follows reads alike, but for the phrases under way."""
        return (self._end, self._joint, self._in_word) == (other._end, other._joint, other._in_word)

    def read(self, text: str, at: int) -> list[Hit]:
        """Take a piece that begins at `at`, and give the phrases that have become certain."""
        hits: list[Hit] = []
        root = self._automaton.root
        firsts = root.firsts
        alphabet = self._alphabet
        for place, raw in enumerate(text, at):
            for char in alphabet[ord(raw)]:
                if char in _SEPARATORS:
                    hits += self.ended()
                    if self._joint != STRONG:
                        self._joint = char
                    continue
                word = char < UNSPACED
                if self._joint or self.open:
                    hits += self._join(word)
                if char in firsts and not (word and self._in_word):
                    self.walks.append((place, self._index, self._parted, root))
                if self.walks:
                    hits += self._step(char, word, place + 1)
                self._in_word = word
                self._index += 1
                self._end = place + 1
            if place + 1 - self._end > MAX_GAP:
                hits += self.ended()
                self.walks = []
                self._in_word = False
        return hits

    def ended(self) -> list[Hit]:
        """The phrases that were open, and are certain if no word goes on here."""
        hits, self.open = self.open, []
        return hits

    def _join(self, word: bool) -> list[Hit]:
        """Before a kept character that does not merely follow the last one."""
        if self._joint == STRONG:
            self._strong = self._index
        if not self._joint:
            if word:
                self.open = []  # The word goes on.
        elif word and self._in_word:
            self._step(" ", False, self._end)
            self._in_word = False
        else:
            self._parted += 1
        self._joint = ""
        return self.ended()

    def _step(self, char: str, word: bool, end: int) -> list[Hit]:
        """Lead all phrases on by a folded character that ends at `end`."""
        step = self._automaton.step
        hidden = 1 if end == self._end else 2
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
                    Hit(start, end, phrase, hidden)
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
