"""A picture's pixels: decoded, its colours by name, and cut to what the text detector is good at.

The detector shrinks long pictures until their text is gone, and blows flat ones up to a short side
of 736 pixels, whatever that makes of the long one.
"""

import colorsys
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from xinghe.pictures.opening import FETCHED

ENOUGH = 16_000_000
"""Pixels; a larger picture is halved while it is read, or right after."""
SIDE = 64
"""Its colours are looked at in this many pixels a side."""
MOST_COLOURS, LEAST = 3, 0.03
"""So many are named at most, each with at least this share of the picture."""
_HUES = (
    (15, "红色"),
    (40, "橙色"),
    (70, "黄色"),
    (165, "绿色"),
    (195, "青色"),
    (255, "蓝色"),
    (290, "紫色"),
    (345, "粉色"),
    (361, "红色"),
)
"""Where a hue ends, in degrees."""
LONGEST, WIDEST = 2000, 3000
"""Pixels of the longer side: of a picture, and of one that is more than twice as wide as high."""
COLUMN = 1000
"""Pixels that a tall picture (a long screenshot) is wide at most."""
TILE, OVERLAP, MOST_TILES = 1500, 200, 14
"""Pixels that a piece is high, those that it shares with the next, and how many there are."""
TALL = 2
"""From this ratio of height to width on, a picture is cut."""
SHORT_SIDE = 736
"""Pixels to which a flat picture is padded, lest the detector blow it up."""


def decode(data: bytes) -> tuple[Image.Image, tuple[int, int]]:
    """An RGB image, and the full (width, height) that it stands for.

    Rotated as EXIF says; 16-bit grey is brought down to 8; what is transparent stands on white,
    or on black where the rest is bright. Raises what Pillow raises for a damaged file.
    """
    Image.MAX_IMAGE_PIXELS = None  # `open_picture` has judged the size
    with Image.open(io.BytesIO(data), formats=FETCHED) as image:
        full = image.size
        image.draft(None, (2400, 2400))  # a JPEG is decoded at half, a quarter or an eighth
        image.load()
        upright: Image.Image = ImageOps.exif_transpose(image)
        quarter_turned = image.getexif().get(0x0112, 1) >= 5
    opaque = _opaque(_eight_bit(_smaller(upright)))
    return opaque, (full[::-1] if quarter_turned else full)


def dominant_colours(image: Image.Image) -> tuple[str, ...]:
    """Chinese names of the colours that cover the most of an RGB image, the largest first."""
    # One pixel for each place rather than a mean: red text on white is no pink.
    small = image.resize((SIDE, SIDE), Image.Resampling.NEAREST)
    counts: Counter[str] = Counter()
    for count, pixel in small.getcolors(SIDE * SIDE) or ():
        assert isinstance(pixel, tuple)
        counts[name_of(*pixel)] += count
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(name for name, count in ranked[:MOST_COLOURS] if count >= LEAST * SIDE * SIDE)


def name_of(red: int, green: int, blue: int) -> str:
    """The name of a colour, each part 0–255."""
    hue, saturation, value = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
    if value < 0.2:
        return "黑色"
    if saturation < 0.15:
        return "白色" if value > 0.85 else "灰色"
    name = next(name for end, name in _HUES if hue * 360 < end)
    if name == "红色" and saturation < 0.5 and value > 0.75:
        return "粉色"
    if name in {"橙色", "黄色"} and value < 0.6:
        return "棕色"
    return name


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
    image = _shrunk(image, min(COLUMN / width, (MOST_TILES * step + OVERLAP) / height))
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


def _smaller(image: Image.Image) -> Image.Image:
    factor = 1
    while image.width * image.height > ENOUGH * factor * factor:
        factor += 1
    if factor == 1:
        return image
    if image.mode in {"1", "P"} or image.mode.startswith("I"):
        return image.resize((-(-image.width // factor), -(-image.height // factor)))
    return image.reduce(factor)


def _eight_bit(image: Image.Image) -> Image.Image:
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.int64)
    return Image.fromarray((values >> 8).clip(0, 255).astype(np.uint8), "L")


def _opaque(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    layered = image.convert("RGBA")
    pixels = np.asarray(layered)
    seen = pixels[pixels[..., 3] > 127][:, :3]
    ground = "black" if seen.size and seen.mean() > 170 else "white"
    return Image.alpha_composite(Image.new("RGBA", layered.size, ground), layered).convert("RGB")


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
