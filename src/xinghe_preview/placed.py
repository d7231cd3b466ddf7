"""A thing at its place in the picture."""

from __future__ import annotations

import msgspec

from xinghe_preview.composition import Item
from xinghe_preview.figures import GRID, extent
from xinghe_preview.vocabulary import vocabulary


class Placed(msgspec.Struct, frozen=True):
    """One copy of an item: its left upper corner and its side, in pixels or the layout's units.

    A thing that `floats` casts no shadow. A card (`item.subject` is empty) is `side` wide.
    """

    item: Item
    x: float
    y: float
    side: float
    mirrored: bool = False
    floats: bool = False


def tall_of(item: Item) -> float:
    """How tall it is drawn beside an animal of height 1; of a card, its width."""
    if not item.subject:
        return 1.3
    return vocabulary().height(item.subject) * item.size / 100


def edges(one: Placed) -> tuple[float, float]:
    """Where what is drawn begins and ends from left to right, of its square's side."""
    if not one.item.subject:
        return 0.0, 1.0
    left, _, right, _ = extent(vocabulary().subjects[one.item.subject].figure)
    if one.mirrored:
        left, right = GRID - right, GRID - left
    return left / GRID, right / GRID
