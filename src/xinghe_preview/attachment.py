"""Where hats, glasses, scarves and things in hand sit on the one who has them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from xinghe_preview.composition import Item
from xinghe_preview.figures import GRID, extent
from xinghe_preview.placed import Placed
from xinghe_preview.vocabulary import Spot, vocabulary

UNIT = GRID // 32
FACE = 12
"""A head wider than this, of 32, is all there is of its drawing."""
HAND = 6.5
"""From the middle of someone who stands to what is in the hand, of 32."""
HEAD: Spot = (16.0, 3.0, 14.0)
"""Where a head is if the vocabulary does not say."""


class _Body(msgspec.Struct, frozen=True):
    """Of the one who wears: what kind, where the head is, whether that is all there is of it."""

    kind: str
    x: float
    top: float
    wide: float
    eyes: Spot | None

    @property
    def face(self) -> bool:
        return self.wide > FACE

    @property
    def profile(self) -> bool:
        """An animal with legs: those look to the left."""
        return self.kind == "animal" and not self.face


class _Worn(msgspec.Struct, frozen=True):
    """Of the thing: its kind, how much of its drawing's 32 units it fills, its usual height."""

    kind: str
    across: float
    high: float
    tall: float


class _Fit(msgspec.Struct, frozen=True):
    """The thing's side and where its drawn middle is, in the wearer's units of 1/32."""

    side: float
    x: float
    y: float
    beneath: bool = False


def attached(host: Placed, worn: list[Item]) -> tuple[list[Placed], list[Placed]]:
    """What lies behind the host (clothes under a face) and what lies before it."""
    beneath: list[Placed] = []
    above: list[Placed] = []
    subject = vocabulary().subjects[host.item.subject]
    body = _Body(subject.kind, *(subject.head or HEAD), subject.eyes)
    hands = 0
    for item in worn:
        if item.tie is None or item.tie.bond not in {"wears", "holds"} or not item.subject:
            continue
        slot = vocabulary().subjects[item.subject].slot or "hand"
        if item.tie.bond == "holds" and slot != "over":
            slot = "hand"
        for _ in range(item.count if slot == "hand" else 1):
            fit = (
                _held(body, _thing(item), hands)
                if slot == "hand"
                else _FITS[slot](body, _thing(item))
            )
            hands += slot == "hand"
            (beneath if fit.beneath else above).append(_on(host, item, fit))
    return beneath, above


def _thing(item: Item) -> _Worn:
    subject = vocabulary().subjects[item.subject]
    left, upper, right, lower = (edge / UNIT for edge in extent(subject.figure))
    return _Worn(subject.kind, right - left, lower - upper, vocabulary().height(item.subject))


def _hat(body: _Body, thing: _Worn) -> _Fit:
    """On the head; behind the ears of an animal with legs."""
    side = body.wide * (1.3 if body.profile else 1.22) * 32 / thing.across
    level = body.top + body.wide * (0.3 if body.profile else 0.16) - thing.high * side / 64
    return _Fit(side, body.x + body.profile * body.wide * 0.08, level, beneath=body.profile)


def _spectacles(body: _Body, thing: _Worn) -> _Fit:
    guess = (body.x - body.wide * 0.1, body.top + body.wide * 0.5, body.wide * 0.9)
    x, level, width = body.eyes or guess
    return _Fit(width * 1.12 * 32 / thing.across, x, level)


def _ears(body: _Body, thing: _Worn) -> _Fit:
    return _Fit(body.wide * 1.5 * 32 / thing.across, body.x, body.top + body.wide * 0.42)


def _neck(body: _Body, thing: _Worn) -> _Fit:
    if body.face:
        return _Fit(body.wide * 0.72 * 32 / thing.across, body.x, 31.0)
    level = body.top + body.wide * 1.42
    return _Fit(body.wide * 0.95 * 32 / thing.across, body.x + 1.2, level)


def _garment(body: _Body, thing: _Worn) -> _Fit:
    """Under a face, or over the body."""
    if body.face:
        side = body.wide * 1.5 * 32 / thing.across
        return _Fit(side, 16.0, 27.0 + thing.high * side / 64, beneath=True)
    person = body.kind == "person"
    side = (11.5 if person else 15.0) * 32 / thing.across
    x, top = (16.0, 9.4) if person else (18.0, 11.0)
    return _Fit(side, x, top + thing.high * side / 64)


def _overhead(body: _Body, thing: _Worn) -> _Fit:
    if body.face:
        return _Fit(36.0, 20.0, body.top - 2.0, beneath=True)
    return _Fit(27.0, 20.0, body.top - 5.0, beneath=True)


def _held(body: _Body, thing: _Worn, number: int) -> _Fit:
    """In the hand, or before the mouth; what flies is above the back. `number` are held already."""
    side = (12.0 if body.face else 9.5) * min(max(thing.tall / 0.75, 0.6), 1.6)
    if thing.kind == "sky":
        return _Fit(side, 29.0 + 4.0 * number, 6.0)
    if body.profile:
        x = body.x - body.wide * 0.6 + 3.0 * number
        return _Fit(side, x, body.top + body.wide * 1.15 + number)
    if body.face:
        return _Fit(side, 28.0 - 7.0 * (number % 2) + number, 24.0)
    if body.kind == "person":  # slim: one hand at each side
        return _Fit(side, body.x + (HAND if number % 2 == 0 else -HAND), 19.0 + number)
    return _Fit(side, 28.0 - 7.0 * (number % 2) + number, 19.0)


_FITS: dict[str, Callable[[_Body, _Worn], _Fit]] = {
    "head": _hat,
    "eyes": _spectacles,
    "ears": _ears,
    "neck": _neck,
    "body": _garment,
    "over": _overhead,
}


def _on(host: Placed, item: Item, fit: _Fit) -> Placed:
    """The thing in the host's scale; with the host it is mirrored."""
    left, upper, right, lower = extent(vocabulary().subjects[item.subject].figure)
    unit = host.side / 32
    middle_x, middle_y = (left + right) / 2 / GRID, (upper + lower) / 2 / GRID
    x = 32 - fit.x if host.mirrored else fit.x
    middle_x = 1 - middle_x if host.mirrored else middle_x
    return Placed(
        item,
        host.x + unit * (x - fit.side * middle_x),
        host.y + unit * (fit.y - fit.side * middle_y),
        unit * fit.side,
        host.mirrored,
        floats=True,
    )
