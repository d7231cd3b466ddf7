"""The lines of a bill: what was used of one model with one token at one price, summed.

They may be as many as the entries, so they are kept in a database of their own.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import astuple

from xinghe.storage import scratch


class Place(NamedTuple):
    """Where a line stands, but for its price; 0 and "" where an old entry does not say it."""

    member_id: int
    wallet_id: int
    model: str
    token_id: int


class Prices(NamedTuple):
    """Micro-Tokens; -1 where an old entry does not say it."""

    input: int
    cached: int
    output: int
    search: int


class Sums(msgspec.Struct, frozen=True, array_like=True):
    """What was used; `spend` in micro-Tokens."""

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    searches: int = 0
    spend: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(*map(operator.add, astuple(self), astuple(other)))

    def __sub__(self, other: Sums) -> Sums:
        return Sums(*map(operator.sub, astuple(self), astuple(other)))


class Charge(msgspec.Struct, frozen=True):
    """A line: what was used at one price, the first and the last time at which moments."""

    place: Place
    prices: Prices
    sums: Sums
    first_at: int
    last_at: int

    @property
    def not_charged(self) -> int:
        """By how much the counts would have cost more: no more is charged than was held."""
        sums, prices = self.sums, Prices(*(max(0, each) for each in self.prices))
        return (
            (sums.prompt_tokens - sums.cached_tokens) * prices.input
            + sums.cached_tokens * prices.cached
            + sums.completion_tokens * prices.output
            + sums.searches * prices.search
            - sums.spend
        )


_SUMS = Sums.__struct_fields__
_KEY = (*Place._fields, *Prices._fields)
_ORDER = (*Place._fields, "first_at", *Prices._fields)
_COLUMNS = (*_KEY, *_SUMS, "first_at", "last_at")


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(columns)


def _numbers(columns: Sequence[str]) -> str:
    """What stands in a statement for a value of each."""
    return ", ".join(f"${number}" for number in range(1, len(columns) + 1))


_MAKE = f"CREATE TABLE lines ({_listed(_COLUMNS)}, PRIMARY KEY ({_listed(_KEY)})) WITHOUT ROWID"
_ADD = (
    f"INSERT INTO lines VALUES ({_numbers(_COLUMNS)}) ON CONFLICT DO UPDATE SET "  # noqa: S608
    + _listed([f"{name} = {name} + excluded.{name}" for name in _SUMS])
    + ", first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at)"
)
_TOTAL = _listed([f"coalesce(sum({name}), 0)" for name in _SUMS])
_ALL = f"SELECT {_listed(_COLUMNS)} FROM lines"  # noqa: S608
# The first condition finds the place by the key, the second the line.
_BEHIND = (
    f"WHERE ({_listed(Place._fields)}) >= ({_numbers(Place._fields)}) "
    f"AND ({_listed(_ORDER)}) > ({_numbers(_ORDER)})"
)
_SORTED = f"ORDER BY {_listed(_ORDER)} LIMIT"


class Lines:
    """Of one bill. Every method raises `StorageUnavailable`, and is for one thread at a time."""

    def __init__(self) -> None:
        self._kept = scratch()
        self._kept.run(_MAKE)

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Place, prices, sums, and when it was first and last, of a part of what makes a line."""
        self._kept.run_many(_ADD, rows)

    def total(self) -> Sums:
        return Sums(*self._kept.rows(f"SELECT {_TOTAL} FROM lines")[0])  # noqa: S608

    def members(self, limit: int) -> list[tuple[int, Sums]]:
        """What each of the first members used."""
        rows = self._kept.rows(
            f"SELECT member_id, {_TOTAL} FROM lines GROUP BY member_id "  # noqa: S608
            f"ORDER BY member_id LIMIT {limit:d}"
        )
        return [(row[0], Sums(*row[1:])) for row in rows]

    def page(self, limit: int, behind: Charge | None = None) -> list[Charge]:
        """The first lines, or those behind one. In order: by place, then by time."""
        if behind is None:
            rows = self._kept.rows(f"{_ALL} {_SORTED} {limit:d}")
        else:
            place = (*behind.place, behind.first_at, *behind.prices)
            rows = self._kept.rows(f"{_ALL} {_BEHIND} {_SORTED} {limit:d}", *place)
        return [_charge(row) for row in rows]

    def close(self) -> None:
        self._kept.close()


def _charge(row: tuple[Any, ...]) -> Charge:
    return Charge(Place(*row[:4]), Prices(*row[4:8]), Sums(*row[8:-2]), *row[-2:])
