"""Where the bars of a chart stand: numbers for the attributes of its SVG."""

from __future__ import annotations

import math

import msgspec

from xinghe.console.usage.filters import Metric
from xinghe.console.usage.series import Bar, Chart, Series
from xinghe.console.usage.totals import Totals

WIDTH, HEIGHT = 960, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 8, 12, 26
WIDEST = 44
LABELS = {"hour": 8, "day": 12, "month": 12}
"""Below the bars, at most."""
LEAST = 1.0
"""How high the smallest piece is: what there is can be seen."""
_GAP = 0.75
"""Between pieces."""
_STEPS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)


class Piece(msgspec.Struct, frozen=True):
    """What a series has in a bar."""

    series: Series
    totals: Totals
    y: float
    height: float


class Column(msgspec.Struct, frozen=True):
    """A bar, from its lowest piece up; its label, where there is room for one."""

    bar: Bar
    x: float
    middle: float
    label: str
    pieces: list[Piece]


class Tick(msgspec.Struct, frozen=True):
    """A line of the scale."""

    y: float
    label: str


class Drawing(msgspec.Struct, frozen=True):
    """Its lines go from `left` to `right`."""

    width: int
    height: int
    left: int
    right: int
    bar_width: float
    columns: list[Column]
    ticks: list[Tick]


def draw(chart: Chart, metric: Metric) -> Drawing:
    """A chart of at least one bar."""
    top = scale(max(float(bar.of(metric)) for bar in chart.bars), whole=metric != "spend")
    base, room = HEIGHT - BOTTOM, HEIGHT - BOTTOM - TOP
    step = (WIDTH - LEFT - RIGHT) / len(chart.bars)
    width = min(WIDEST, step * 0.78)
    every = math.ceil(len(chart.bars) / LABELS[chart.interval])
    columns = []
    for place, bar in enumerate(chart.bars):
        middle = LEFT + step * (place + 0.5)
        pieces, reached = [], 0.0
        for series in chart.series:
            totals = bar.parts.get(series.key)
            value = 0.0 if totals is None else float(totals.of(metric))
            if totals is None or value <= 0:
                continue
            height = max(value / top * room, LEAST)
            reached += height
            gap = _GAP if height > 3 * _GAP else 0.0
            y = base - reached + gap
            pieces.append(Piece(series, totals, round(y, 2), round(height - gap, 2)))
        # The last is always told: what is new stands there.
        told = (len(chart.bars) - 1 - place) % every == 0
        label = _label(bar.slot.label, chart) if told else ""
        columns.append(Column(bar, round(middle - width / 2, 1), round(middle, 1), label, pieces))
    ticks = [
        Tick(round(base - room * quarter / 4, 1), compact(top * quarter / 4))
        for quarter in range(5)
    ]
    return Drawing(WIDTH, HEIGHT, LEFT, WIDTH - RIGHT, round(width, 1), columns, ticks)


def scale(most: float, *, whole: bool) -> float:
    """A round number that is not less; its quarters are round, too. `whole`: they are whole."""
    if most <= 0:
        return 4
    quarter = most / 4
    if whole:
        quarter = max(1.0, quarter)
    power = 10.0 ** math.floor(math.log10(quarter))
    return 4 * next(
        rounded
        for rounded in (step * power for step in _STEPS)
        if rounded >= quarter * (1 - 1e-9) and not (whole and rounded % 1)
    )


def compact(value: float) -> str:
    """In a few characters: `0.00012`, `1,500`, `12.5K`, `3.4M`, `2B`."""
    for least, size, letter in (1e9, 1e9, "B"), (1e6, 1e6, "M"), (1e4, 1e3, "K"):
        if value >= least:
            return f"{value / size:,.2f}".rstrip("0").rstrip(".") + letter
    text = f"{value:,.6f}".rstrip("0").rstrip(".")
    return text or "0"


def _label(label: str, chart: Chart) -> str:
    """Of a bar; the year of a day is clear, and so is the day of most hours."""
    if chart.interval == "day":
        return label.partition("-")[2]
    if chart.interval == "hour" and len(chart.bars) <= 24:
        return label.rpartition(" ")[2]
    return label
