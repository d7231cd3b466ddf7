"""Walks along the phrases: a deterministic automaton that is made as far as texts need it.

A phrase is a row of slots, each a choice of words; written out, the lexicon's would be millions
of strings. Kept as rows they are a few hundred, and the automaton gets a state the first time
that a text leads there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from xinghe.safety.alphabet import WORD, is_word
from xinghe.safety.folding import BREAK
from xinghe.safety.phrases import Phrase

_MOST_PLACES = 600000
"""Places and characters in the states beyond the root; then they are made anew.

Hostile texts cannot fill the memory: the lexicon's states take some 55 MB.
"""


class Node:
    """A place in the words of a choice: what may follow, and whether a word ends here."""

    __slots__ = ("after", "end")

    def __init__(self) -> None:
        self.after: dict[str, Node] = {}
        self.end = False


Item: TypeAlias = tuple[int, int, Node | int]
"""A place in a phrase: its index, the slot, and the node in it or the characters of a gap."""


class State:
    """What was read and may go on.

    `ended` are the phrases complete here; `bans` and `shields` tell whether a phrase of either
    kind goes on from here. `firsts` are the characters with which a word goes on, `after` the
    states of those that were met; all others lead to `other`, once `other_known`.
    """

    __slots__ = ("after", "bans", "ended", "firsts", "items", "other", "other_known", "shields")

    def __init__(
        self,
        items: frozenset[Item],
        ended: list[Phrase],
        known: Sequence[Phrase],
        firsts: frozenset[str],
    ) -> None:
        self.items = items
        self.ended = ended
        self.bans = any(known[index].flag for index, _, _ in items)
        self.shields = any(not known[index].flag for index, _, _ in items)
        self.firsts = firsts
        self.after: dict[str, State] = {}
        self.other: State | None = None
        self.other_known = not any(isinstance(place, int) for _, _, place in items)


class Automaton:
    """Finds where phrases stand in folded texts, and where they only begin."""

    def __init__(self, phrases: Sequence[Phrase]) -> None:
        self._phrases = tuple(phrases)
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
        firsts = "".join(map(re.escape, sorted(self._root.firsts)))
        self._first = re.compile(f"[{firsts}](?<![{WORD}][{WORD}])" if firsts else "(?!)")

    def walk(self, text: str) -> Iterator[tuple[int, int, State]]:
        """Yield `(start, end, state)` wherever a phrase ends, or is unfinished at the text's end.

        Phrases begin and end where words do ("hexagon" has no "hex" in it): the beginning is
        seen to here, the end is for `whole` to judge.
        """
        size = len(text)
        for match in self._first.finditer(text):
            start = end = match.start()
            state: State | None = self._root
            while state and end < size:
                char = text[end]
                if char in state.firsts:
                    state = state.after.get(char) or self._step(state, char)
                elif char == BREAK:
                    break
                else:
                    state = state.other if state.other_known else self._step_aside(state, char)
                end += 1
                if state and (state.ended or end == size):
                    yield start, end, state

    def _step(self, state: State, char: str) -> State:
        following = state.after[char] = self._advance(state, char)
        return following

    def _step_aside(self, state: State, char: str) -> State:
        """The step into a gap, the same for all characters with which no word goes on."""
        following = state.other = self._advance(state, char)
        state.other_known = True
        return following

    def _advance(self, state: State, char: str) -> State:
        if self._made > self._room:
            self._begin()  # A walk that is under way goes on from the state that it holds.
        items: set[Item] = set()
        ended: set[int] = set()
        for index, slot, place in state.items:
            if isinstance(place, int):
                self._pass_gap(index, slot, place, items, ended)
            elif child := place.after.get(char):
                if child.after:
                    items.add((index, slot, child))
                if child.end:
                    self._enter(index, slot + 1, items, ended)
        return self._state(frozenset(items), frozenset(ended))

    def _pass_gap(
        self, index: int, slot: int, read: int, items: set[Item], ended: set[int]
    ) -> None:
        width = self._slots[index][slot]
        assert isinstance(width, int)
        if read + 1 < width:
            items.add((index, slot, read + 1))
        self._enter(index, slot + 1, items, ended)

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
        # Texts are walked in several threads, and `_begin` may come between two lines of this:
        # states do not change, so a second equal one does no harm.
        states, key = self._states, (items, ended)
        state = states.get(key)
        if state is None:
            done = [self._phrases[index] for index in sorted(ended)]
            state = states[key] = State(items, done, self._phrases, self._firsts_of(items))
            self._made += 1 + len(items) + len(state.firsts)
        return state

    def _firsts_of(self, items: frozenset[Item]) -> frozenset[str]:
        nodes = frozenset(place for _, _, place in items if not isinstance(place, int))
        known = self._firsts
        firsts = known.get(nodes)
        if firsts is None:
            firsts = known[nodes] = frozenset(char for node in nodes for char in node.after)
        return firsts

    def _begin(self) -> None:
        self._states: dict[tuple[frozenset[Item], frozenset[int]], State] = {}
        # States are many, the sets of characters that they share are few.
        self._firsts: dict[frozenset[Node], frozenset[str]] = {}
        self._made = 0
        items: set[Item] = set()
        for index in range(len(self._phrases)):
            self._enter(index, 0, items, set())
        self._root = self._state(frozenset(items), frozenset())
        # A long list's root, and a state as large, must fit in.
        self._room = _MOST_PLACES + 2 * self._made


def whole(text: str, end: int) -> bool:
    """Whether no word goes on at `end`."""
    return end == len(text) or not (is_word(text[end - 1]) and is_word(text[end]))


def _tree(words: tuple[str, ...], known: dict[tuple[str, ...], Node]) -> Node:
    """The words as a tree; equal choices share one."""
    if words not in known:
        root = known[words] = Node()
        for word in words:
            node = root
            for char in word:
                node = node.after.setdefault(char, Node())
            node.end = True
    return known[words]
