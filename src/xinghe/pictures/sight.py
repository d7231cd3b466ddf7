"""What goes to the process that looks at pictures, and what comes back."""

from __future__ import annotations

import msgspec


class Look(msgspec.Struct, frozen=True, array_like=True):
    """The file of a picture."""

    data: bytes


class Sight(msgspec.Struct, frozen=True, array_like=True):
    """What was seen, with the picture held upright; sizes in pixels.

    `colours` are Chinese names, the most frequent first. `lines` are in reading order.
    """

    width: int
    height: int
    colours: tuple[str, ...]
    lines: tuple[str, ...]
