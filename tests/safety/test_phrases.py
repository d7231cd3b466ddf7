"""The automaton's memory: bounded within one text too, and never at the cost of a finding."""

from __future__ import annotations

import gc
import random

import pytest

from xinghe.safety import phrases
from xinghe.safety.lexicon import lexicon
from xinghe.safety.phrases import Automaton, State

FEW = 10_000


def states_alive() -> int:
    return sum(isinstance(each, State) for each in gc.get_objects())


def beginnings(size: int) -> str:
    """Random beginnings of the lexicon's own rows, `size` characters or a little more."""
    chance, rows = random.Random(3), lexicon()
    text = ""
    while len(text) < size:
        phrase = chance.choice(rows)
        row = "".join(chance.choice(phrase.words(at) or ("甲",)) for at in range(len(phrase.slots)))
        text += row[: chance.randrange(1, len(row) + 1)]
    return text


def test_one_hostile_text_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    text = beginnings(4000)
    rows = lexicon()
    everything = [(start, end, state.ended) for start, end, state in Automaton(rows).walk(text)]
    assert len(everything) > 100
    monkeypatch.setattr(phrases, "_MOST_PLACES", FEW)
    others = states_alive()
    found, most = [], 0
    for start, end, state in Automaton(rows).walk(text):
        found.append((start, end, state.ended))
        if len(found) % 50 == 0:
            most = max(most, states_alive() - others)
    assert found == everything
    assert 0 < most < FEW / 10
