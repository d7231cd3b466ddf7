"""Lines of text in the order in which people read them (recursive XY-cut, Nagy and Seth 1984)."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """A text with its upright bounding box in pixels."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


def read(lines: list[Line]) -> list[str]:
    """The texts from top to bottom, column by column; what stands side by side becomes one line.

    Columns are told from the cells of a table by their width: a row of cells is read across.
    """
    read: list[str] = []
    blocks = [sorted(lines, key=lambda line: (line.top, line.left, line.text))]
    while blocks:
        block = blocks.pop()
        halves = _columns(block) or _bands(block)
        if halves:
            blocks += [halves[1], halves[0]]
        elif block:
            read.append("  ".join(line.text for line in sorted(block, key=lambda one: one.left)))
    return read


def _columns(block: list[Line]) -> tuple[list[Line], list[Line]] | None:
    """Cut at the widest gap from top to bottom that has running text on both sides."""
    if len(block) < 4:
        return None
    letter = statistics.median(line.height for line in block)
    halves = _cut(block, lambda line: (line.left, line.right), letter)
    if halves is None:
        return None
    wide = all(
        len(half) >= 2 and statistics.median(line.right - line.left for line in half) >= 6 * letter
        for half in halves
    )
    return halves if wide else None


def _bands(block: list[Line]) -> tuple[list[Line], list[Line]] | None:
    """Cut at the widest gap from left to right; lines may touch by a third of their height."""
    return _cut(
        block, lambda line: (line.top + line.height / 6, line.bottom - line.height / 6), 0.0
    )


def _cut(
    block: list[Line], span: Callable[[Line], tuple[float, float]], least: float
) -> tuple[list[Line], list[Line]] | None:
    ordered = sorted(block, key=span)
    best, at, reached = least, 0, float("-inf")
    for number, line in enumerate(ordered):
        start, end = span(line)
        if number and start - reached > best:
            best, at = start - reached, number
        reached = max(reached, end)
    return (ordered[:at], ordered[at:]) if at else None
