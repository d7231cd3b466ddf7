"""A page of rows by time, the newest first, of what several sources have.

A source looks at a bounded number of its rows at once: where a filter matches little, a page may
hold fewer rows than were asked for, and then says where to go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

import msgspec

from xinghe.usage.scope import Source

ROUNDS = 4
"""How often many sources are gone through for one page."""
EVER = 2**62


class Position(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Where a row stands among all: by its time, then by its number."""

    at: int
    id: int


class Placed(Protocol):
    @property
    def position(self) -> Position: ...


R = TypeVar("R", bound=Placed)


class Page(msgspec.Struct, Generic[R], frozen=True):
    """Rows, and behind which position there may be more."""

    rows: list[R]
    next: Position | None


class Found(msgspec.Struct, Generic[R]):
    """What a source has: its `rows`, and down to where all was looked at; None: to its end."""

    rows: list[R]
    floor: Position | None = None


def together(
    sources: Iterable[Source],
    read: Callable[[Source, Position, int], Found[R]],
    before: Position,
    limit: int,
) -> Page[R]:
    """At most `limit` rows before a position; `read` finds at most so many of a source."""
    found: dict[Source, Found[R]] = {source: Found([], before) for source in sources}
    # Of many sources few at first: most of what was read of each would be too much.
    few = len(found) > 2
    most = 2 * limit // len(found) + 2 if few else limit + 1
    for _ in range(ROUNDS if few else 1):
        for source, each in _unfinished(found, limit):
            assert each.floor is not None
            more = read(source, each.floor, most)
            each.rows += more.rows
            each.floor = more.floor
        most *= 4
    floor = max((each.floor for each in found.values() if each.floor is not None), default=None)
    return cut(_merged(found), floor, limit)


def cut(rows: list[R], floor: Position | None, limit: int) -> Page[R]:
    """The page of what was found, in order; below a floor not all is known."""
    if floor is not None:
        rows = [row for row in rows if row.position >= floor]
    if len(rows) > limit:
        return Page(rows[:limit], rows[limit - 1].position)
    return Page(rows, floor)


def _merged(found: dict[Source, Found[R]]) -> list[R]:
    every = (row for each in found.values() for row in each.rows)
    return sorted(every, key=lambda row: row.position, reverse=True)


def _unfinished(found: dict[Source, Found[R]], limit: int) -> list[tuple[Source, Found[R]]]:
    """The sources that may have more to say about a page of so many rows."""
    rows = _merged(found)
    lowest = rows[limit].position if len(rows) > limit else Position(0, 0)
    return [
        (source, each)
        for source, each in found.items()
        if each.floor is not None and each.floor > lowest
    ]
