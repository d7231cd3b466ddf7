"""The automaton's memory: bounded within one text too, and never at the cost of a finding."""

from __future__ import annotations

import gc
import random

import pytest

from xinghe.safety import phrases
from xinghe.safety.lexicon import lexicon
from xinghe.safety.matcher import Matcher, StreamScanner
from xinghe.safety.phrases import Automaton, Phrase, State

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
    parts = [text[at : at + 300] for at in range(0, len(text), 300)]
    wide = Matcher(lexicon())
    everything = [StreamScanner(wide).found_in(part) for part in parts]
    assert sum(map(len, everything)) > 10
    monkeypatch.setattr(phrases, "_MOST_PLACES", FEW)
    others = states_alive()
    narrow, found, most = Matcher(lexicon()), [], 0
    for part in parts:
        found.append(StreamScanner(narrow).found_in(part))
        most = max(most, states_alive() - others)
    assert found == everything
    assert 0 < most < FEW / 10


def test_an_automaton_is_made_anew_in_a_few_steps() -> None:
    """It happens amid a text, where all others wait: whatever a list holds, only the root is made.

    Of a list with thousands of first characters the states behind each took most of a second.
    """
    words = tuple(chr(0x4E00 + at) + "词" for at in range(5000))
    others = states_alive()
    automaton = Automaton((*lexicon(), Phrase((words,), 3, "operator/block", own=True)))
    assert len(automaton.root.firsts) >= 5000
    assert states_alive() - others <= 1
