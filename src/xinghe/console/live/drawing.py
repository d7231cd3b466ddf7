"""Where the bars of the last minutes stand: numbers for the attributes of their SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from xinghe.console.usage.drawing import compact, scale

WIDTH, HEIGHT = 480, 120
LEFT, TOP, BOTTOM = 44, 8, 20
LEAST = 1.0
"""How high the smallest piece is: what there is can be seen."""


class Bar(NamedTuple):
    """A step, from its lowest piece up: for each, where it begins and how high it is."""

    x: float
    pieces: list[tuple[float, float]]


class Bars(NamedTuple):
    """`lines` are those of the scale: where, and what stands beside."""

    width: int
    height: int
    left: int
    bar_width: float
    bars: list[Bar]
    lines: list[tuple[float, str]]


def draw(steps: Sequence[Sequence[float]]) -> Bars:
    """Bars of pieces that stand on each other."""
    base, room = HEIGHT - BOTTOM, HEIGHT - BOTTOM - TOP
    top = scale(max(sum(each) for each in steps), whole=False)
    width = (WIDTH - LEFT) / len(steps)
    bars = []
    for number, values in enumerate(steps):
        pieces, reached = [], 0.0
        for value in values:
            height = max(value / top * room, LEAST) if value > 0 else 0.0
            reached += height
            pieces.append((round(base - reached, 2), round(height, 2)))
        bars.append(Bar(round(LEFT + number * width, 2), pieces))
    lines = [(round(base - room * half / 2, 1), compact(top * half / 2)) for half in range(3)]
    return Bars(WIDTH, HEIGHT, LEFT, round(width * 0.8, 2), bars, lines)
