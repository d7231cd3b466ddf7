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

_MOST_STEPS = 300_000
"""Then states are made anew: hostile texts cannot fill the memory (some 50 MB)."""


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
    kind goes on from here; `after` has the characters that were met here.
    """

    __slots__ = ("after", "bans", "ended", "items", "shields")

    def __init__(
        self, items: frozenset[Item], ended: list[Phrase], known: Sequence[Phrase]
    ) -> None:
        self.items = items
        self.ended = ended
        self.bans = any(known[index].flag for index, _, _ in items)
        self.shields = any(not known[index].flag for index, _, _ in items)
        self.after: dict[str, State | None] = {}


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
        self._begin()
        firsts = {
            first
            for _, _, node in self._root.items
            if not isinstance(node, int)
            for first in node.after
        }
        self._first = re.compile(
            f"[{''.join(map(re.escape, sorted(firsts)))}](?<![{WORD}][{WORD}])"
            if firsts
            else "(?!)"
        )

    def walk(self, text: str) -> Iterator[tuple[int, int, State]]:
        """Yield `(start, end, state)` wherever a phrase ends, or is unfinished at the text's end.

        Phrases begin and end where words do ("hexagon" has no "hex" in it): the beginning is
        seen to here, the end is for `whole` to judge.
        """
        if self._steps > _MOST_STEPS:
            self._begin()
        size = len(text)
        for match in self._first.finditer(text):
            start = end = match.start()
            state: State | None = self._root
            while state and end < size:
                char = text[end]
                after = state.after
                state = after[char] if char in after else self._step(state, char)
                end += 1
                if state and (state.ended or end == size):
                    yield start, end, state

    def _step(self, state: State, char: str) -> State | None:
        items: set[Item] = set()
        ended: set[int] = set()
        for index, slot, place in state.items:
            if isinstance(place, int):
                self._pass_gap(index, slot, place, char, items, ended)
            elif child := place.after.get(char):
                if child.after:
                    items.add((index, slot, child))
                if child.end:
                    self._enter(index, slot + 1, items, ended)
        following = self._state(frozenset(items), frozenset(ended)) if items or ended else None
        state.after[char] = following
        self._steps += 1
        return following

    def _pass_gap(
        self, index: int, slot: int, read: int, char: str, items: set[Item], ended: set[int]
    ) -> None:
        if char == BREAK:
            return
        width = self._slots[index][slot]
        assert isinstance(width, int)
        if read + 1 < width:
            items.add((index, slot, read + 1))
        self._enter(index, slot + 1, items, ended)

    def _enter(self, index: int, slot: int, items: set[Item], ended: set[int]) -> None:
        """Add the places from which a phrase may go on at a slot, or that it may end there."""
        for at in range(slot, len(self._slots[index])):
            place = self._slots[index][at]
            if isinstance(place, int):
                items.add((index, at, 0))
                continue
            items.add((index, at, place))
            if not place.end:
                return
        ended.add(index)

    def _state(self, items: frozenset[Item], ended: frozenset[int]) -> State:
        key = (items, ended)
        if key not in self._states:
            done = [self._phrases[index] for index in sorted(ended)]
            self._states[key] = State(items, done, self._phrases)
        return self._states[key]

    def _begin(self) -> None:
        self._states: dict[tuple[frozenset[Item], frozenset[int]], State] = {}
        self._steps = 0
        items: set[Item] = set()
        for index in range(len(self._phrases)):
            self._enter(index, 0, items, set())
        self._root = State(frozenset(items), [], self._phrases)


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
