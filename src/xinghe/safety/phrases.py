"""Phrases, and an automaton along them that is made as far as texts need it.

A phrase is a row of slots, each a choice of words; written out, the lexicon's would be millions
of strings. Kept as rows they are a few hundred, and the deterministic automaton gets a state the
first time that a text leads there.
"""

import re
import sys
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from xinghe.safety.folding import UNSPACED

MAX_PHRASE = 80
"""Folded characters in a phrase."""
_SHORTEST_LEET = 4
_LATIN = re.compile("[a-z ]*")
_MOST_PLACES = 600000
"""Places and characters in the states beyond the root; then they are made anew.

Hostile texts cannot fill the memory: the lexicon's states take some 55 MB.
"""


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
    def is_loose(self) -> bool:
        """Whether it has a gap."""
        return any(isinstance(slot, int) for slot in self.slots)

    @property
    def is_spaced(self) -> bool:
        """Whether it is of words alone that spaces part, so that no other character is in it."""
        text = "".join(word for at in range(len(self.slots)) for word in self.words(at))
        return not self.is_loose and max(text, default="") < UNSPACED

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

    def words(self, slot: int) -> tuple[str, ...]:
        """The choice at a slot; none where the slot is a gap."""
        choice = self.slots[slot]
        return () if isinstance(choice, int) else choice

    def gap(self, slot: int) -> int:
        """How wide the gap at a slot may be; 0 where the slot is a choice."""
        width = self.slots[slot]
        return width if isinstance(width, int) else 0


def may_be_leet(text: str) -> bool:
    """Whether a folded phrase is worth looking for where digits imitate letters."""
    return len(text) >= _SHORTEST_LEET and _LATIN.fullmatch(text) is not None


class Node:
    """A place in the words of a choice: what may follow, and whether a word ends here.

    `closes` tells whether one may end with the next character.
    """

    __slots__ = ("after", "closes", "end")

    def __init__(self) -> None:
        self.after: dict[str, Node] = {}
        self.end = False
        self.closes = False


Item: TypeAlias = tuple[int, int, Node | int]
"""A place in a phrase: its index, the slot, and the node in it or the characters of a gap."""


class State:
    """What was read of phrases that go on from here, or end here.

    `ended` are the phrases complete here, `latin` those of them that `is_leet`. `own` tells
    whether a banned phrase of the operator's goes on, `near` whether a banned one of the lexicon
    may be complete with the next character. `firsts` are the characters with which a word goes
    on, `after` the states of those that were met; all others lead to `other`, once `other_known`.
    `loose`: one of them is in a gap, where any character may stand.
    """

    __slots__ = (
        "after",
        "ended",
        "firsts",
        "items",
        "latin",
        "loose",
        "near",
        "other",
        "other_known",
        "own",
    )

    def __init__(self, items: frozenset[Item], firsts: frozenset[str]) -> None:
        self.items = items
        self.firsts = firsts
        self.ended: list[Phrase] = []
        self.latin: list[Phrase] = []
        self.own = False
        self.near = False
        self.after: dict[str, State] = {}
        self.other: State | None = None
        self.loose = any(isinstance(place, int) for _, _, place in items)
        self.other_known = not self.loose


class Automaton:
    """Follows phrases through a folded text, a character at a time from `root`."""

    def __init__(self, phrases: Sequence[Phrase]) -> None:
        self._phrases = tuple(phrases)
        self._latin = [phrase.is_leet for phrase in self._phrases]
        choices: dict[tuple[str, ...], Node] = {}
        # Per phrase and slot: the words as a tree, or how wide the gap is.
        self._slots = [
            [slot if isinstance(slot, int) else _tree(slot, choices) for slot in phrase.slots]
            for phrase in self._phrases
        ]
        # Asked for at every step into a new state: worked out once.
        self._entries = [
            [self._entry(index, slot) for slot in range(len(slots) + 1)]
            for index, slots in enumerate(self._slots)
        ]
        self._begin()

    def step(self, state: State, char: str) -> State | None:
        """Where a character that is not in `state.after` leads, if anywhere."""
        if char in state.firsts:
            following = state.after[char] = self._advance(state, char)
            return following
        if not state.other_known:
            # The step into a gap, the same for all characters with which no word goes on.
            state.other = self._advance(state, char)
            state.other_known = True
        return state.other

    def _advance(self, state: State, char: str) -> State:
        if self._made > self._room:
            self._begin()  # A walk that is under way goes on from the state that it holds.
        items: set[Item] = set()
        ended: set[int] = set()
        for index, slot, place in state.items:
            if isinstance(place, int):
                width = self._slots[index][slot]
                assert isinstance(width, int)
                if place + 1 < width:
                    items.add((index, slot, place + 1))
                self._enter(index, slot + 1, items, ended)
            elif child := place.after.get(char):
                if child.after:
                    items.add((index, slot, child))
                if child.end:
                    self._enter(index, slot + 1, items, ended)
        return self._state(frozenset(items), frozenset(ended))

    def _enter(self, index: int, slot: int, items: set[Item], ended: set[int]) -> None:
        """Add the places from which a phrase may go on at a slot, or that it may end there."""
        places, ends = self._entries[index][slot]
        items.update(places)
        if ends:
            ended.add(index)

    def _entry(self, index: int, slot: int) -> tuple[tuple[Item, ...], bool]:
        """The places from which a phrase may go on at a slot, and whether it may end there."""
        places: list[Item] = []
        for at in range(slot, len(self._slots[index])):
            place = self._slots[index][at]
            if isinstance(place, int):
                places.append((index, at, 0))
                continue
            places.append((index, at, place))
            if not place.end:
                return tuple(places), False
        return tuple(places), True

    def _state(self, items: frozenset[Item], ended: frozenset[int]) -> State:
        # Texts are read in several threads, and `_begin` may come between two lines of this:
        # states do not change, so a second equal one does no harm.
        states, key = self._states, (items, ended)
        state = states.get(key)
        if state is None:
            nodes = frozenset(place for _, _, place in items if not isinstance(place, int))
            firsts = self._firsts.get(nodes)
            if firsts is None:
                firsts = frozenset(char for node in nodes for char in node.after)
                self._firsts[nodes] = firsts
            state = State(items, firsts)
            state.ended = [self._phrases[index] for index in sorted(ended)]
            state.latin = [self._phrases[index] for index in sorted(ended) if self._latin[index]]
            for index, slot, place in items:
                if (phrase := self._phrases[index]).flag:
                    state.own |= phrase.own
                    if not isinstance(place, int) and self._entries[index][slot + 1][1]:
                        state.near |= place.closes
            states[key] = state
            self._made += 1 + len(items) + len(state.firsts)
            if " " in firsts:
                # One character of a text, behind a separator, may bring a space and a letter.
                following = self.step(state, " ")
                state.near |= following is not None and following.near
        return state

    def _begin(self) -> None:
        self._states: dict[tuple[frozenset[Item], frozenset[int]], State] = {}
        # States are many, the sets of characters that they share are few.
        self._firsts: dict[frozenset[Node], frozenset[str]] = {}
        self._made, self._room = 0, sys.maxsize
        items: set[Item] = set()
        for index in range(len(self._phrases)):
            self._enter(index, 0, items, set())
        self.root = self._state(frozenset(items), frozenset())
        # A long list's root, and a state as large, must fit in.
        self._room = _MOST_PLACES + 2 * self._made


def _tree(words: tuple[str, ...], known: dict[tuple[str, ...], Node]) -> Node:
    """The words as a tree; equal choices share one."""
    if words not in known:
        root = known[words] = Node()
        for word in words:
            before = node = root
            for char in word:
                before, node = node, node.after.setdefault(char, Node())
            before.closes |= node is not root
            node.end = True
    return known[words]
