"""A picture cut into pieces of a size and shape that the text detector is good at.

It shrinks long pictures until their text is gone, and blows flat ones up to a short side of 736
pixels, whatever that makes of the long one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

LONGEST = 2000
WIDEST = 3000
COLUMN = 1000
"""Pixels that a tall picture (a long screenshot) is wide at most."""
TILE, OVERLAP, MOST = 1500, 200, 14
TALL = 2
"""From this ratio of height to width on, a picture is cut."""
SHORT_SIDE = 736


@dataclass(frozen=True)
class Tile:
    """A piece of the picture; `top` is where it lies, `low`–`high` what it alone answers for."""

    image: Image.Image
    top: int
    low: float
    high: float


def tiles(image: Image.Image) -> Iterator[Tile]:
    """Pieces of an RGB image from top to bottom; their pixels are those of one scaled image."""
    width, height = image.size
    if height <= TALL * width or height <= LONGEST:
        bound = WIDEST if width > TALL * height else LONGEST
        yield Tile(_padded(_shrunk(image, bound / max(image.size))), 0, 0, float("inf"))
        return
    step = TILE - OVERLAP
    image = _shrunk(image, min(COLUMN / width, (MOST * step + OVERLAP) / height))
    tops = list(range(0, max(1, image.height - OVERLAP), step))
    for number, top in enumerate(tops):
        last = number == len(tops) - 1
        bottom = image.height if last else top + TILE
        yield Tile(
            _padded(image.crop((0, top, image.width, bottom))),
            top,
            0 if top == 0 else top + OVERLAP / 2,
            float("inf") if last else bottom - OVERLAP / 2,
        )


def _shrunk(image: Image.Image, factor: float) -> Image.Image:
    if factor >= 1:
        return image
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return image.resize(size, Image.Resampling.LANCZOS)


def _padded(image: Image.Image) -> Image.Image:
    least = min(SHORT_SIDE, max(image.size) // 2)
    size = max(image.width, least), max(image.height, least)
    if size == image.size:
        return image
    padded = Image.new("RGB", size, image.getpixel((0, 0)))
    padded.paste(image)
    return padded
