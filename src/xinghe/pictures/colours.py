"""The dominant colours of a picture by name."""

from __future__ import annotations

import colorsys
from collections import Counter

from PIL import Image

SIDE = 64
"""The picture is looked at in this many pixels a side."""
MOST, LEAST = 3, 0.03
"""So many colours are named at most, each with at least this share of the picture."""
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


def dominant_colours(image: Image.Image) -> tuple[str, ...]:
    """Chinese names of the colours that cover the most of an RGB image, the largest first."""
    # One pixel for each place rather than a mean: red text on white is no pink.
    small = image.resize((SIDE, SIDE), Image.Resampling.NEAREST)
    counts: Counter[str] = Counter()
    for count, pixel in small.getcolors(SIDE * SIDE) or ():
        assert isinstance(pixel, tuple)
        counts[name_of(*pixel)] += count
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(name for name, count in ranked[:MOST] if count >= LEAST * SIDE * SIDE)


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
