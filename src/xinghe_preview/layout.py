"""Where everything in a composition stands, in pixels."""

from __future__ import annotations

from random import Random

import msgspec

from xinghe_preview.afar import far_off, in_the_sky
from xinghe_preview.attachment import attached
from xinghe_preview.bonds import aloft, is_land
from xinghe_preview.composition import Bond, Composition, Item
from xinghe_preview.figures import GRID, extent
from xinghe_preview.placed import Placed, edges, tall_of
from xinghe_preview.vocabulary import vocabulary

GROUND = 0.86
"""Where feet stand, of the height."""
WIDE, HIGH = 0.88, 0.76
"""What the things on the ground may take of the width and the height together."""
SEAT = 0.4
"""How far below the top of a host its guest's feet are, of the host's height as drawn."""
RIDER = 0.78
"""How large a guest is drawn on its host, of its usual height."""
CARD = 0.62
"""Height of a card, of its width."""
ROWS = 0.6
"""Rows grow with the square root of this share of the copies, in a square picture."""
DEEP = 0.5
"""How much higher the feet of the next row are."""
FORE = 0.72
"""Feet are at least this far down, of the height."""
SLIM = 0.12
"""A drawing is slim that leaves more of its width free at each side."""
GAP = 0.12
"""Between two things side by side, in heights of an animal."""
HOLDER = 1.5
"""How much larger is what others are in."""


def layout(composition: Composition, width: int, height: int, seed: int) -> list[Placed]:
    """All copies from back to front, in pixels of a picture of `width` × `height`."""
    random = Random(seed)  # noqa: S311 - the same seed, the same picture
    grounded, hung, far = _sorted(composition)
    stage = _Stage(composition, random)
    stage.rows(grounded, height / width)
    placed = _fitted(stage.placed, width, height)
    sky = in_the_sky(composition, hung, bool(placed or far), width, height, random)
    return [*sky, *far_off(composition, far, bool(placed), width, height, random), *placed]


def _sorted(composition: Composition) -> tuple[list[int], list[int], list[int]]:
    """Those in the row, in the sky and at the horizon; guests and clothes are none of them."""
    rows: list[int] = []
    skies: list[int] = []
    far: list[int] = []
    for at, item in enumerate(composition.items):
        if item.tie and item.tie.bond != "beside":
            continue
        ridden = any(guest.tie and guest.tie.to == at for guest in composition.items)
        if ridden:
            rows.append(at)
        else:
            (skies if aloft(item.subject) else far if is_land(item.subject) else rows).append(at)
    return rows, skies, far


class _Stage:
    """Puts things side by side in units of an animal's height; feet at 0, up is negative."""

    def __init__(self, composition: Composition, random: Random) -> None:
        self._items = composition.items
        self._random = random
        self._seen: set[int] = set()
        self.placed: list[Placed] = []

    def rows(self, roots: list[int], upright: float) -> None:
        """All roots in rows from back to front; `upright` is the picture's height to its width."""
        copies = [at for at in roots for _ in range(self._items[at].count)]
        rows = max(1, round((ROWS * len(copies) * upright) ** 0.5))
        for row in range(rows):
            x = -0.3 * (row % 2)
            for at in copies[row::rows]:
                x += self._cluster(at, x, DEEP * (row - rows + 1))

    def _cluster(self, at: int, x: float, feet: float, scale: float = 1.0) -> float:
        """A thing with all that is tied to it; the width that it takes."""
        item = self._items[at]
        tall = scale * tall_of(item) * (0.97 + 0.06 * self._random.random())
        feet += 0.05 * self._random.random()
        behind: list[int] = []
        within: list[int] = []
        others: list[int] = []
        for guest, tied in enumerate(self._items):
            if tied.tie and tied.tie.to == at and tied.tie.bond not in {"wears", "holds", "beside"}:
                kinds = {"behind": behind, "within": within}
                kinds.get(tied.tie.bond, others).append(guest)
        tall *= HOLDER if within else 1.0
        for guest in behind:
            self._guests(guest, x + 0.35 * tall, feet - 0.12)
        for guest in within:
            self._guests(guest, x + 0.12 * tall, feet - 0.42 * tall)
        mirrored = bool(item.subject) and self._random.random() < 0.5 and _turns(item)
        margin = self._margin(at)
        self._put(at, x - margin * tall, feet, tall, mirrored)
        taken = tall * (0.98 - 2 * margin) + (GAP if margin else 0.0)
        riders = [guest for guest in others if self._bond(guest) == "on"]
        seat = x + max(0.0, tall - RIDER * sum(map(self._width, riders))) / 2
        before, beneath = x - 0.05 * tall, x + 0.42 * tall
        for guest in others:
            if guest in riders:
                level = feet - tall * (1 - _seat(item))
                seat += self._guests(guest, seat, level, RIDER)
                taken = max(taken, seat - x)
            elif self._bond(guest) == "front":
                before += self._guests(guest, before, feet + 0.16)
            else:
                beneath += self._guests(guest, beneath, feet + 0.12)
        return max(taken, before - x, beneath - x if beneath > x + 0.42 * tall else 0.0)

    def _margin(self, at: int) -> float:
        """What a slim drawing leaves free at each side, of its own; nothing under a load."""
        item = self._items[at]
        if not item.subject or any(one.tie and one.tie.to == at for one in self._items):
            return 0.0
        left, _, right, _ = extent(vocabulary().subjects[item.subject].figure)
        free = min(left, GRID - right) / GRID
        return free if free > SLIM else 0.0

    def _bond(self, at: int) -> Bond | None:
        tie = self._items[at].tie
        return tie.bond if tie else None

    def _width(self, at: int) -> float:
        return tall_of(self._items[at]) * self._items[at].count * 0.9

    def _guests(self, at: int, x: float, feet: float, scale: float = 1.0) -> float:
        if at in self._seen:
            return 0.0
        self._seen.add(at)  # two that are on each other
        start = x
        for _ in range(self._items[at].count):
            x += self._cluster(at, x, feet, scale) * 0.92
        self._seen.discard(at)
        return x - start

    def _put(self, at: int, x: float, feet: float, tall: float, mirrored: bool) -> None:
        item = self._items[at]
        if not item.subject:
            self.placed.append(Placed(item, x, feet - tall * CARD, tall))
            return
        rides = item.tie is not None and item.tie.bond in {"on", "within"}
        own = Placed(item, x, feet - tall, tall, mirrored, floats=rides)
        worn = [other for other in self._items if other.tie and other.tie.to == at]
        beneath, above = attached(own, [one for one in worn if one.tie])
        self.placed += [*beneath, own, *above]


def _turns(item: Item) -> bool:
    """Whether it may look the other way: what is built or made may bear letters."""
    return vocabulary().subjects[item.subject].kind not in {"building", "object"}


def _seat(item: Item) -> float:
    """Where feet or what sits rests on it, from the top of its square, of 1."""
    if not item.subject:
        return 1 - CARD
    subject = vocabulary().subjects[item.subject]
    _, top, _, bottom = extent(subject.figure)
    return subject.seat / 32 if subject.seat else (top + SEAT * (bottom - top)) / GRID


def _fitted(placed: list[Placed], width: int, height: int) -> list[Placed]:
    """Scaled and moved so that all of it is in the picture, its feet on the ground."""
    if not placed:
        return []
    left = min(one.x + one.side * edges(one)[0] for one in placed)
    right = max(one.x + one.side * edges(one)[1] for one in placed)
    top = min(one.y for one in placed)
    bottom = max(one.y + _high(one) for one in placed)
    scale = min(WIDE * width / (right - left), HIGH * height / (bottom - top))
    feet = min(GROUND * height, max(FORE * height, height * 0.52 + scale * (bottom - top) * 0.62))
    x0 = (width - scale * (right + left)) / 2
    y0 = feet - scale * bottom
    return [
        msgspec.structs.replace(
            one, x=x0 + scale * one.x, y=y0 + scale * one.y, side=scale * one.side
        )
        for one in placed
    ]


def _high(one: Placed) -> float:
    return one.side if one.item.subject else one.side * CARD
