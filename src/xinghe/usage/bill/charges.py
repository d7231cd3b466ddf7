"""What was used in a time, a line for each price: read from the entries, page by page.

The sums of usage know no prices. So the entries of the wallets are read once in the order of time,
in steps that hold nobody up, and summed by whatever makes a line.
"""

from __future__ import annotations

import operator
import time
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import astuple

from xinghe.storage import Connection
from xinghe.usage.pages import Position
from xinghe.usage.scope import by_index

PAGE = 10_000
"""Entries that one statement sums."""
SECONDS = 0.03
"""After which a step has done enough."""
MOST = 20_000
"""Lines that are kept in memory; what comes behind them is read once more."""


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


_PLACE = len(Place._fields)
_KEY = _PLACE + len(Prices._fields)


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


class Charges:
    """Reads what some wallets paid from `since` on, before `until`.

    Of the lines, the first behind a place are kept; where there are more, `behind` is the place
    from which on another reading finds the next. `total`, and what each of the first `members`
    used, is of all.
    """

    def __init__(
        self, wallets: tuple[int, ...], since: int, until: int, behind: Place | None = None
    ) -> None:
        self._left = list(reversed(wallets))
        self._since, self._until = since, until
        self._at = Position(since, 0)
        self._first = behind
        self.behind: Place | None = None
        self._found: dict[tuple[Any, ...], list[int]] = {}
        """By place and prices: sums, and when it was first and last."""
        self._of_members: dict[int, list[int]] = {}
        self._total = [0] * len(Sums.__struct_fields__)

    @property
    def total(self) -> Sums:
        return Sums(*self._total)

    def step(self, connection: Connection) -> bool:
        """Read a part; whether that was all."""
        end = time.monotonic() + SECONDS
        with by_index(connection):
            while self._left:
                self._page(connection, self._left[-1])
                if time.monotonic() > end:
                    break
        return not self._left

    @property
    def lines(self) -> list[Charge]:
        """In order: by place, then by time."""
        lines = [
            Charge(Place(*key[:_PLACE]), Prices(*key[_PLACE:]), Sums(*sums[:-2]), *sums[-2:])
            for key, sums in self._found.items()
        ]
        return sorted(lines, key=lambda line: (line.place, line.first_at, line.prices))

    @property
    def members(self) -> list[tuple[int, Sums]]:
        return [(number, Sums(*sums)) for number, sums in sorted(self._of_members.items())]

    def _page(self, connection: Connection, wallet: int) -> None:
        at = self._at
        last = connection.row(_LAST, wallet, at.at, at.id, self._until, PAGE - 1)
        end = Position(self._until, 0) if last is None else Position(*last)
        rows = connection.rows(_SUMMED, wallet, at.at, at.id, end.at, end.id)
        for row in rows:
            _add(self._total, row[_KEY:])
            self._add(row[:_KEY], row[_KEY:])
        if last is None:
            self._left.pop()
            end = Position(self._since, 0)
        self._at = end

    def _add(self, key: tuple[Any, ...], sums: tuple[int, ...]) -> None:
        before = self._of_members.get(key[0])
        if before is not None:
            _add(before, sums)
        else:
            self._of_members[key[0]] = list(sums[:-2])
            if len(self._of_members) > MOST:
                del self._of_members[max(self._of_members)]
        before = self._found.get(key)
        if before is not None:
            _add(before, sums)
            before[-2], before[-1] = min(before[-2], sums[-2]), max(before[-1], sums[-1])
            return
        place = key[:_PLACE]
        if self._first is not None and place <= self._first:
            return
        if self.behind is not None and place > self.behind:
            return
        self._found[key] = list(sums)
        if len(self._found) > MOST:
            self._forget()

    def _forget(self) -> None:
        """Keep the first half of the places."""
        places = sorted({key[:_PLACE] for key in self._found})
        last = places[(len(places) - 1) // 2]
        if last == places[-1]:
            return  # of one place, all that there is
        self.behind = Place(*last)
        self._found = {key: sums for key, sums in self._found.items() if key[:_PLACE] <= last}


def _add(to: list[int], sums: tuple[int, ...]) -> None:
    """In place and one by one: it is done for every line of every page."""
    to[0] += sums[0]
    to[1] += sums[1]
    to[2] += sums[2]
    to[3] += sums[3]
    to[4] += sums[4]
    to[5] += sums[5]


_LAST = (
    "SELECT x.at, x.id FROM entries x WHERE x.wallet_id = $1 AND (x.at, x.id) > ($2, $3) "
    "AND x.at < $4 ORDER BY x.at, x.id LIMIT 1 OFFSET $5"
)
_COUNTS = ("x.prompt_tokens", "x.cached_tokens", "x.completion_tokens", "x.searches", "-x.amount")
_SUMMED = (
    "SELECT coalesce(x.member_id, x.wallet_id), x.wallet_id, coalesce(x.model, ''), "  # noqa: S608
    "coalesce(x.token_id, 0), coalesce(x.input_rate, -1), coalesce(x.cached_rate, -1), "
    "coalesce(x.output_rate, -1), coalesce(x.search_rate, -1), count(*), "
    + ", ".join(f"CAST(sum({each}) AS BIGINT)" for each in _COUNTS)
    + ", min(x.at), max(x.at) FROM entries x WHERE x.wallet_id = $1 "
    "AND (x.at, x.id) > ($2, $3) AND (x.at, x.id) <= ($4, $5) AND x.kind = 'usage' "
    "GROUP BY 1, 2, 3, 4, 5, 6, 7, 8"
)
