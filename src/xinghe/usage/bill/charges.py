"""What was used in a time, a line for each price: read from the entries, page by page.

The sums of usage know no prices. So the entries of the wallets are read once in the order of time,
in steps that hold nobody up, and summed by whatever makes a line.
"""

from __future__ import annotations

import operator
import time
from typing import NamedTuple

import msgspec

from xinghe.storage import Connection
from xinghe.usage.pages import Position
from xinghe.usage.scope import by_index

PAGE = 5_000
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


class Sums(msgspec.Struct, frozen=True, array_like=True):
    """What was used; `spend` in micro-Tokens."""

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    searches: int = 0
    spend: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(*map(operator.add, _told(self), _told(other)))

    def __sub__(self, other: Sums) -> Sums:
        return Sums(*map(operator.sub, _told(self), _told(other)))


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
        self._found: dict[tuple[Place, Prices], Charge] = {}
        self._of_members: dict[int, Sums] = {}
        self.total = Sums()

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
        return sorted(
            self._found.values(), key=lambda line: (line.place, line.first_at, line.prices)
        )

    @property
    def members(self) -> list[tuple[int, Sums]]:
        return sorted(self._of_members.items())

    def _page(self, connection: Connection, wallet: int) -> None:
        at = self._at
        last = connection.row(_LAST, wallet, at.at, at.id, self._until, PAGE - 1)
        end = Position(self._until, 0) if last is None else Position(*last)
        rows = connection.rows(_SUMMED, wallet, at.at, at.id, end.at, end.id)
        for row in rows:
            place = Place(row[0], wallet, *row[1:3])
            self._add(place, Prices(*row[3:7]), Sums(*row[7:-2]), *row[-2:])
        if last is None:
            self._left.pop()
            end = Position(self._since, 0)
        self._at = end

    def _add(self, place: Place, prices: Prices, sums: Sums, first: int, last: int) -> None:
        self.total += sums
        self._of_members[place.member_id] = self._of_members.get(place.member_id, Sums()) + sums
        if len(self._of_members) > MOST:
            del self._of_members[max(self._of_members)]
        if self._first is not None and place <= self._first:
            return
        if self.behind is not None and place > self.behind:
            return
        before = self._found.get((place, prices))
        if before is not None:
            first, last = min(first, before.first_at), max(last, before.last_at)
            sums += before.sums
        self._found[place, prices] = Charge(place, prices, sums, first, last)
        if len(self._found) > MOST:
            self._forget()

    def _forget(self) -> None:
        """Keep the first half of the places."""
        places = sorted({place for place, _ in self._found})
        last = places[(len(places) - 1) // 2]
        if last == places[-1]:
            return  # of one place, all that there is
        self.behind = last
        self._found = {key: sums for key, sums in self._found.items() if key[0] <= last}


def _told(sums: Sums) -> tuple[int, ...]:
    return msgspec.structs.astuple(sums)


_LAST = (
    "SELECT x.at, x.id FROM entries x WHERE x.wallet_id = $1 AND (x.at, x.id) > ($2, $3) "
    "AND x.at < $4 ORDER BY x.at, x.id LIMIT 1 OFFSET $5"
)
_COUNTS = ("x.prompt_tokens", "x.cached_tokens", "x.completion_tokens", "x.searches", "-x.amount")
_SUMMED = (
    "SELECT coalesce(x.member_id, x.wallet_id), coalesce(x.model, ''), coalesce(x.token_id, 0), "  # noqa: S608
    "coalesce(x.input_rate, -1), coalesce(x.cached_rate, -1), coalesce(x.output_rate, -1), "
    "coalesce(x.search_rate, -1), count(*), "
    + ", ".join(f"CAST(sum({each}) AS BIGINT)" for each in _COUNTS)
    + ", min(x.at), max(x.at) FROM entries x WHERE x.wallet_id = $1 "
    "AND (x.at, x.id) > ($2, $3) AND (x.at, x.id) <= ($4, $5) AND x.kind = 'usage' "
    "GROUP BY 1, 2, 3, 4, 5, 6, 7"
)
