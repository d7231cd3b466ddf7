"""Where things are that stand on no ground before us: in the sky, and at the horizon."""

from __future__ import annotations

from random import Random

from xinghe_preview.composition import Composition
from xinghe_preview.figures import GRID, extent
from xinghe_preview.placed import Placed, tall_of
from xinghe_preview.scenery import HORIZON
from xinghe_preview.vocabulary import vocabulary

FAR, FAR_ALONE = 0.36, 0.5
"""A mountain's side, with others before it and alone, of the picture's lesser side."""
ALONE_OUTDOORS = 0.7
"""How much of the picture's lesser side what hangs in the sky of a place has without company."""


def far_off(
    composition: Composition,
    far: list[int],
    company: bool,
    width: int,
    height: int,
    random: Random,
) -> list[Placed]:
    """Mountains and the like: side by side on the horizon, behind all that stands before it."""
    copies = [composition.items[at] for at in far for _ in range(composition.items[at].count)]
    found = []
    for number, item in enumerate(copies):
        share = tall_of(item) * (FAR if company else FAR_ALONE)
        _, top, _, bottom = extent(vocabulary().subjects[item.subject].figure)
        room = (HORIZON - 0.04) * height * GRID / (bottom - top)
        side = min(share * min(width, height), 1.3 * width / len(copies), room)
        middle = (number + 0.5) / len(copies)
        if len(copies) == 1 and company:  # or what stands before it would hide it
            middle = 0.3 if random.random() < 0.5 else 0.7
        y = HORIZON * height - bottom * side / GRID
        found.append(Placed(item, middle * width - side / 2, y, side, floats=True))
    return found


def in_the_sky(
    composition: Composition,
    hung: list[int],
    company: bool,
    width: int,
    height: int,
    random: Random,
) -> list[Placed]:
    """What hangs above, spread over the width; alone, it fills the picture."""
    copies = [composition.items[at] for at in hung for _ in range(composition.items[at].count)]
    unit = min(width, height)
    alone, level = (ALONE_OUTDOORS, 0.32) if composition.places else (0.95, 0.45)
    found = []
    for number, item in enumerate(copies):
        share = tall_of(item) * (0.34 if company else alone / max(1, len(copies)) ** 0.5)
        side = min(share * unit, 0.94 * width / max(1, len(copies)) * 1.1)
        x = (number + 0.5) / len(copies) * width if len(copies) > 1 or not company else 0.0
        if len(copies) == 1 and company:
            x = (0.2 if random.random() < 0.5 else 0.8) * width
        middle = (0.17 if company else level) + 0.06 * (random.random() - 0.5) * (len(copies) > 1)
        x = min(max(x - side / 2, 0.03 * width), 0.97 * width - side)
        y = max(0.02 * height, middle * height - side / 2)
        found.append(Placed(item, x, y, side, random.random() < 0.3, floats=True))
    return found
