"""What the preview engine knows by name: the tables of vocabulary.toml and grammar.toml."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""
Kind = Literal[
    "animal", "person", "plant", "food", "vehicle", "building", "object", "wear", "sky", "land"
]
Slot = Literal["head", "eyes", "ears", "neck", "body", "hand", "over"]
Spot = tuple[float, float, float]
"""Centre, height and width in units of a drawing, which is 32 wide and high."""


class _Named(msgspec.Struct, frozen=True, kw_only=True):
    """Its names in both languages, separated by commas."""

    zh: str = ""
    en: str = ""

    def names(self) -> list[str]:
        return [name for text in (self.zh, self.en) if text for name in text.split(",")]


class Subject(_Named, frozen=True, kw_only=True):
    """Something that can be drawn; the fields are described at the top of vocabulary.toml."""

    figure: str
    kind: Kind
    tall: float = 0.0
    slot: Slot | None = None
    coat: str = ""
    swims: bool = False
    seat: float = 0.0
    paint: str = ""
    head: Spot | None = None
    eyes: Spot | None = None

    def colours(self, asked: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Those that are asked for, else the one that its name says."""
        return asked or tuple(filter(None, (self.paint,)))


class Tint(_Named, frozen=True, kw_only=True):
    """A colour that a prompt may ask for."""

    rgb: Colour


class Place(_Named, frozen=True, kw_only=True):
    """Where a scene is; two colours of the sky and two of the ground, from above to below."""

    sky: tuple[Colour, Colour]
    ground: tuple[Colour, Colour]
    props: str = ""
    water: bool = False
    deep: bool = False
    shore: bool = False
    indoor: bool = False
    stars: bool = False
    falls: Literal["snow", "rain", "leaves"] | None = None


class Relation(_Named, frozen=True, kw_only=True):
    """Stands between two subjects; the words in `after` follow the second one in Chinese."""

    after: str = ""


class Words(msgspec.Struct, frozen=True):
    """Words that are no subjects; lists separated by commas."""

    measures: str
    not_subjects: str
    not_english: str
    quality: str
    quality_english: str
    parts: str
    parts_english: str


class _Subjects(msgspec.Struct, frozen=True):
    kind: dict[Kind, float]
    subject: dict[str, Subject]


class _Grammar(msgspec.Struct, frozen=True):
    colour: dict[str, Tint]
    place: dict[str, Place]
    relation: dict[str, Relation]
    number: dict[str, _Named]
    size: dict[str, _Named]
    words: Words


class Vocabulary(msgspec.Struct, frozen=True):
    """All of it, by key; `numbers` and `sizes` (percent) by their value."""

    subjects: dict[str, Subject]
    colours: dict[str, Tint]
    places: dict[str, Place]
    relations: dict[str, Relation]
    numbers: dict[int, list[str]]
    sizes: dict[int, list[str]]
    words: Words
    heights: dict[Kind, float]

    def height(self, key: str) -> float:
        """How tall a subject is drawn beside an animal of height 1."""
        subject = self.subjects[key]
        return subject.tall or self.heights[subject.kind]


@cache
def vocabulary() -> Vocabulary:
    folder = files("xinghe_preview")
    subjects = msgspec.toml.decode(folder.joinpath("vocabulary.toml").read_bytes(), type=_Subjects)
    grammar = msgspec.toml.decode(folder.joinpath("grammar.toml").read_bytes(), type=_Grammar)
    return Vocabulary(
        subjects=subjects.subject,
        colours=grammar.colour,
        places=grammar.place,
        relations=grammar.relation,
        numbers={int(value): named.names() for value, named in grammar.number.items()},
        sizes={int(value): named.names() for value, named in grammar.size.items()},
        words=grammar.words,
        heights=subjects.kind,
    )
