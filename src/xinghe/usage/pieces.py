"""Which sums are read for a stretch of time: the coarser ones, with finer ones at its ends.

All can be taken off again: where a stretch ends eight hours before a month does, as in another
zone, those eight are read and taken off the month.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from xinghe.ledger.spans import MONTH, Closed, Span
from xinghe.ledger.windows import DAY, HOUR

Table: TypeAlias = Literal["usage_hours", "usage_members", "usage_groups"]
UNITS: dict[Span, int] = {"hour": HOUR, "day": DAY, "month": 28 * DAY}
"""What is never divided; of months, the shortest."""


class Piece(msgspec.Struct, frozen=True):
    """The rows of a table, each the sum of a `span`, from `since` on, before `until`.

    They are added, or taken off where `sign` is -1. `held`: of the hourly sums, those alone that
    the coarser ones hold (or do not); None: all.
    """

    table: Table
    span: Span
    since: int
    until: int
    sign: int = 1
    held: bool | None = None


_Part: TypeAlias = tuple[Span, int, int, int]


def pieces(closed: Closed, since: int, until: int, *, together: bool) -> list[Piece]:
    """What says all that was used from one hour to another: by groups whose members are summed
    `together`, or by each member.
    """
    end, found = min(until, closed.upto), list[Piece]()
    spans: tuple[Span, ...] = ("month", "day", "hour") if together else ("month", "hour")
    parts = _split(since, end, closed.upto, spans)[1] if since < end else []
    if not together and {span for span, *_ in parts} <= {"hour"}:
        return [Piece("usage_hours", "hour", since, until)]
    for span, first, last, sign in parts:
        if together:
            found.append(Piece("usage_groups", span, first, last, sign))
        elif span == "month":
            found.append(Piece("usage_members", span, first, last, sign))
        else:
            held = True if last > closed.since else None
            found.append(Piece("usage_hours", span, first, last, sign, held))
    if until > closed.since:
        found.append(Piece("usage_hours", "hour", max(since, closed.since), until, held=False))
    return found


def in_order(closed: Closed, since: int, until: int, *, together: bool) -> list[Piece]:
    """The same hour by hour, no two of the same time."""
    middle = max(since, min(until, closed.since)) if together else since
    found = [
        Piece("usage_groups", "hour", since, middle),
        Piece("usage_hours", "hour", middle, until),
    ]
    return [each for each in found if each.since < each.until]


def _split(since: int, until: int, upto: int, spans: tuple[Span, ...]) -> tuple[int, list[_Part]]:
    """The parts of which the fewest sums are read, and about how many those are.

    What is coarser holds nothing from `upto` on: there, the last of it ends.
    """
    span, *finer = spans
    if not finer:
        return (until - since) // HOUR, [(span, since, until, 1)]
    first, last = _nearest(span, since, upto), _nearest(span, until, upto)
    cost, parts = 1 + (last - first) // UNITS[span], [(span, first, last, 1)] * (first < last)
    for begin, end in (since, first), (last, until):
        if begin != end:
            more, some = _split(min(begin, end), max(begin, end), upto, tuple(finer))
            cost += more
            sign = 1 if begin < end else -1
            parts += [(each, a, b, sign * other) for each, a, b, other in some]
    directly = _split(since, until, upto, tuple(finer))
    return directly if directly[0] <= cost else (cost, parts)


def _nearest(span: Span, at: int, upto: int) -> int:
    if span == "day":
        begin = at - at % DAY
        end = begin + DAY
    else:
        begin = MONTH.part(at)
        end = MONTH.left(begin) or upto
    end = min(end, upto)
    return end if end - at < at - begin or at >= upto else begin
