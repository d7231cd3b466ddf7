"""A thing at its place in the picture."""

from __future__ import annotations

import msgspec

from xinghe.images.preview.composition import Item


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
