"""The automaton's memory: bounded within one text too, and never at the cost of a finding."""

from __future__ import annotations

import gc
import random

import pytest

from xinghe.safety import phrases
from xinghe.safety.lexicon import lexicon
from xinghe.safety.matcher import Matcher
from xinghe.safety.phrases import State

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
    text = beginnings(1500)
    everything = Matcher(lexicon()).scan(text)
    assert len(everything.found) > 10
    monkeypatch.setattr(phrases, "_MOST_PLACES", FEW)
    others = states_alive()
    scan, most = Matcher(lexicon()).scan(), 0
    for at in range(0, len(text), 300):
        scan.read(text[at : at + 300])
        most = max(most, states_alive() - others)
    assert (scan.found, scan.shields) == (everything.found, everything.shields)
    assert 0 < most < FEW / 10
