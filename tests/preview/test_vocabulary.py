"""Every name is read as what it names, and everything that is named can be drawn."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.preview.asking import asked
from xinghe_preview.figures import coloured, extent, figure, main_colour, shares
from xinghe_preview.reading import compose
from xinghe_preview.vocabulary import vocabulary


def test_it_is_as_large_as_is_told() -> None:
    words = vocabulary()
    assert len(words.subjects) >= 380
    assert len(words.colours) >= 14
    assert len(words.places) >= 25
    assert len(words.relations) == 8


def test_every_subject_has_both_languages_and_no_name_twice_in_a_kind_of_word() -> None:
    words = vocabulary()
    for entry in (*words.subjects.values(), *words.places.values(), *words.colours.values()):
        assert entry.zh
        assert entry.en
    names = Counter(name for subject in words.subjects.values() for name in subject.zh.split(","))
    assert [name for name, times in names.items() if times > 1] == []


COMMON = """
cat dog horse bird fish butterfly dragon dinosaur tiger lion elephant panda wolf fox bear
rabbit deer owl eagle snake whale dolphin woman man girl boy baby doctor teacher astronaut
robot wizard witch princess queen angel demon vampire bride soldier tree flower rose sunflower
bamboo grass forest mountain river lake ocean beach desert island garden city street village
farm castle bridge temple church tower house car bus train bicycle motorcycle airplane rocket
ship boat apple banana cake pizza burger sushi sandwich soup coffee tea wine bread bowl cup
plate bottle vase book table chair sofa bed lamp mirror clock phone computer camera guitar
piano sword umbrella hat crown dress shoes glasses football sun moon star sky rain snow
rainbow fireworks sunset
"""
"""What people ask pictures of most."""


def test_common_nouns_are_drawn() -> None:
    read = {noun: compose(asked(f"a {noun}")) for noun in COMMON.split()}
    assert len(read) > 100
    drawn = {noun for noun, seen in read.items() if seen.places or seen.items[0].subject}
    assert set(read) - drawn == set()


@pytest.mark.parametrize("key", sorted(vocabulary().subjects))
def test_each_name_is_read_as_its_subject(key: str) -> None:
    subject = vocabulary().subjects[key]
    shared = {"shirt"}
    for name in subject.names():
        if name in shared:
            continue
        composition = compose(asked(f"a {name}" if re.match(r"[a-z]", name) else f"一个{name}"))
        found = [item.subject for item in composition.items]
        assert found == [key], name


@pytest.mark.parametrize("key", sorted(vocabulary().subjects))
def test_each_drawing_fills_its_square_and_takes_a_colour(key: str) -> None:
    subject = vocabulary().subjects[key]
    left, top, right, bottom = extent(subject.figure)
    assert max(right - left, bottom - top) > 2048 * 0.6
    assert sum(shares(subject.figure).values()) > 64 * 64 * 0.05
    if subject.coat in {"", "none"}:
        blue = coloured(subject.figure, subject.coat, ("blue",))
        red, _, sea = main_colour(blue, subject.figure)
        assert subject.coat == "none" or sea > red + 60


def test_the_coat_that_is_named_is_in_the_drawing() -> None:
    for subject in vocabulary().subjects.values():
        if subject.coat not in {"", "none"}:
            used = {"#{:02x}{:02x}{:02x}".format(*shape.colour) for shape in figure(subject.figure)}
            assert subject.coat in used
