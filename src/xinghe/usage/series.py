"""Usage over time: sums by hour, day or month, apart by model, token, member or group.

They come from the hourly roll-ups: an hour (UTC) counts for the day of a zone in which it begins.
"""

from __future__ import annotations

import operator
import time
from typing import Literal, TypeAlias

import msgspec

from xinghe.ledger import spans
from xinghe.ledger.spans import SUMS, Closed
from xinghe.ledger.windows import DAY, HOUR, Window
from xinghe.storage import Connection
from xinghe.usage.parts import parts
from xinghe.usage.pieces import UNITS, Piece, in_order, pieces
from xinghe.usage.reading import Narrow, Reading
from xinghe.usage.scope import Scope, Source, by_index

Interval = Literal["hour", "day", "month"]
Dimension = Literal["model", "token", "member", "group"]
COLUMNS = {"group": "wallet_id", "member": "member_id", "token": "token_id", "model": "model"}

ROWS, ENOUGH = 10_000, 15_000
"""Roll-ups that one statement sums at most, if it can do less; of which a page has enough."""
KEPT, ASKED = 8, 50
"""As many can be summed in the time in which one that they came to is taken over; in which a
statement is answered that finds nothing.
"""
SECONDS = 0.03
"""After which a step has done enough, and a page if there is anything in it."""
EVER = 2**62
FIRST = 100 * DAY
"""How long a time is summed at first of one group: a part of it of several together."""
FASTER = 8
"""So much longer is the next, where there was little."""

Key: TypeAlias = tuple[int | str, ...]
"""What stands under each dimension: the id of a wallet, member or token, or a model's name."""


class Sums(msgspec.Struct, frozen=True, array_like=True):
    """What was used; `spend` in micro-Tokens.

    Of `timed` requests, the sums of `timed_tokens` that came out, of milliseconds to the first
    token and to the end.
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    searches: int = 0
    spend: int = 0
    timed: int = 0
    timed_tokens: int = 0
    first_ms: int = 0
    total_ms: int = 0


_SUMS = ", ".join(f"CAST(sum({name}) AS BIGINT)" for name in SUMS)
_NOTHING = (0,) * len(SUMS)
_Found: TypeAlias = dict[tuple[int, Key], dict[str, tuple[int, ...]]]
"""By a bucket's part and key: the sums of each outcome."""


class SeriesParams(msgspec.Struct, frozen=True, kw_only=True):
    """From `since` on, before `until`: both begin an hour. A token is named with its member."""

    since: int
    until: int
    interval: Interval
    zone: str = "UTC"
    by: tuple[Dimension, ...] = ()
    model: str | None = None
    token: int | None = None
    member: int | None = None

    @property
    def window(self) -> Window:
        return Window(self.interval, zone=self.zone)


class Bucket(msgspec.Struct, frozen=True):
    """What was charged from `since` on (microseconds), before `until`; how many failed, by code."""

    since: int
    until: int
    key: Key
    charged: Sums
    errors: dict[str, int]


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a page begins: at a moment, in its first bucket behind a key."""

    since: int
    key: Key = ()


class Summing:
    """Sums what was asked for, in steps that hold nobody up; then `page` or `total` tells it.

    For a page of at most `limit` buckets, one part of time at least is summed, however much is in
    it; for a total (`whole`), there are no buckets.
    """

    def __init__(
        self,
        scope: Scope,
        asked: SeriesParams,
        start: Place | None = None,
        *,
        limit: int = 1000,
        whole: bool = False,
    ) -> None:
        self._asked = asked
        self._limit = limit
        self._whole = whole
        self._start = Place(asked.since) if start is None else start
        self._sources = scope.sources(asked.member)
        self._together = scope.member is None and not (
            asked.member or asked.token or {"member", "token"} & set(asked.by)
        )
        self._at_once = whole or asked.interval == "month"
        """Each bucket is read as a whole, from the coarser sums: else one hour after another."""
        self._due: list[Reading] = []
        self._closed: Closed | None = None
        self._reached = self._end = max(asked.since, self._start.since)
        self.work = 0
        """Roll-ups that were summed; what they came to counts for several."""
        self._late = False
        """Whether a step has taken its time."""
        self._narrow = Narrow(asked.token, asked.model)
        self._found: _Found = {}

    def step(self, connection: Connection) -> bool:
        """Sum a portion, or a part of it where that takes long; whether that was all."""
        until = time.monotonic() + SECONDS
        with by_index(connection):
            closed = spans.closed(connection)
            if self._at_once and self._due and closed != self._closed:
                self._forget()
            while not self._done:
                if not self._due:
                    self._plan(connection, closed)
                self._sum(connection, min(self._due, key=lambda each: each.at))
                if not self._due and not self._bounded:
                    self._reached = self._end
                elif not self._at_once:
                    self._reached = min(each.at for each in self._due)
                if time.monotonic() > until:
                    self._late = True
                    break
        return self._done

    def page(self) -> tuple[list[Bucket], Place | None]:
        """The buckets in which there is anything, in order; where the next begin."""
        asked, window, start = self._asked, self._asked.window, self._start
        whole = self._reached >= asked.until
        complete = self._reached if whole else window.part(self._reached)
        buckets: list[Bucket] = []
        ends = {part: window.left(part) for part in {part for part, _ in self._found}}
        if self._bounded:
            complete += 1  # of what is in it, all is known
        for part, key in sorted(self._found):
            if part >= complete:
                break
            if start.key and part <= start.since and key <= start.key:
                continue
            if len(buckets) == self._limit:
                last = buckets[-1]
                if last.until <= part:
                    return buckets, Place(part)
                return buckets, Place(max(last.since, start.since), last.key)
            until = min(ends[part] or asked.until, asked.until)
            sums, errors = _told(self._found[part, key])
            if sums.requests or errors:  # and not all taken off again
                buckets.append(Bucket(max(part, asked.since), until, key, sums, errors))
        if self._bounded:
            rest = ("\U0010ffff" if each == "model" else EVER for each in asked.by[1:])
            return buckets, Place(self._reached, (self._narrow.most or 0, *rest))
        return buckets, None if whole else Place(complete)

    def total(self) -> tuple[Sums, dict[str, int]]:
        """All that was asked for in one; `part` was 0."""
        return _told(self._found.get((0, ()), {}))

    @property
    def _done(self) -> bool:
        if self._reached >= self._asked.until or not self._sources or self._bounded:
            return True
        window, start = self._asked.window, self._start
        complete = window.part(self._reached)
        if self._whole or complete <= window.part(start.since):
            return False
        if self.work >= ENOUGH:
            return True
        known = sum(
            part < complete and (part > start.since or key > start.key) for part, key in self._found
        )
        return known >= (1 if self._late else self._limit)

    def _plan(self, connection: Connection, closed: Closed) -> None:
        """What is read next: a bucket, or all that is left."""
        asked, since = self._asked, self._reached
        self._closed, self._end = closed, asked.until
        if not self._at_once:
            found = in_order(closed, since, self._end, together=self._together)
        else:
            if not self._whole:
                self._end = self._end_of_part(since)
            found = pieces(closed, since, self._end, together=self._together)
        self._due = [
            Reading(source, piece, closed, piece.since, self._first(source, piece))
            for source in self._sources
            for piece in found
        ]
        if self._at_once and not self._whole and asked.by and asked.by[0] in ("member", "token"):
            self._bound(connection, COLUMNS[asked.by[0]])

    def _first(self, source: Source, piece: Piece) -> int:
        """How long a time is tried at first, before it is known how much there is."""
        if piece.table == "usage_groups" and piece.span == "hour":
            return max(DAY, FIRST // len(source.wallets))
        if piece.table != "usage_hours":
            return EVER
        if self._asked.interval != "day" or self._at_once:
            return 4 * HOUR
        return self._end_of_part(piece.since) - piece.since

    def _end_of_part(self, at: int) -> int:
        window = self._asked.window
        return min(window.left(window.part(at)) or self._asked.until, self._asked.until)

    def _bound(self, connection: Connection, column: str) -> None:
        """Of a bucket with more members, or tokens, than a page has, read no more of them."""
        key = self._start.key if self._reached <= self._start.since else ()
        narrow = Narrow(self._asked.token, self._asked.model, column, int(key[0]) if key else 0)
        months = [each for each in self._due if each.piece.table == "usage_members"]
        if len(self._sources) == len(months) == 1:
            sql = months[0].rows(connection, narrow, months[0].piece.until)
            # In the order of the ids, one more than a page has.
            # By no index of the ids: PostgreSQL would go through those of all.
            order = f"GROUP BY 1 ORDER BY 1 LIMIT 1 OFFSET {self._limit:d}"
            text = f"SELECT u.{column} + 0 FROM {sql.text} {order}"  # noqa: S608
            narrow.most = connection.value(text, *sql.values)
        self._narrow = narrow

    @property
    def _bounded(self) -> bool:
        """Whether the bucket that was read last has more than was read of it."""
        return self._narrow.most is not None and not self._due

    def _forget(self) -> None:
        """Begin the bucket anew: hours were closed meanwhile, which would count twice."""
        begin = self._begin
        self._found = {place: sums for place, sums in self._found.items() if place[0] != begin}
        self._due = []

    @property
    def _begin(self) -> int:
        """Of the bucket that is read as a whole."""
        return 0 if self._whole else self._asked.window.part(self._reached)

    def _sum(self, connection: Connection, reading: Reading) -> None:
        """Add, or take off, what a source says of a while."""
        asked, piece, since = self._asked, reading.piece, reading.at
        until = min(since + reading.length, piece.until)
        column = reading.column
        part, begins = "0", {0: self._begin}
        if not self._at_once:
            part, begins = parts(asked.window, column, since, until)
        columns = [COLUMNS[each] for each in asked.by]
        divisible = until - since > UNITS[piece.span]
        sql = reading.rows(connection, self._narrow, until)
        if divisible:  # what is bounded is read by itself
            fields = ", ".join((column, *columns, "outcome", *SUMS))
            sql.text = f"(SELECT {fields} FROM {sql.text} LIMIT {ROWS + 1}) sums"  # noqa: S608
        size = len(columns) + 2
        apart = ", ".join([part, *columns, "outcome"])
        order = ", ".join(str(1 + each) for each in range(size))
        rows = connection.rows(
            f"SELECT {apart}, {_SUMS}, count(*) FROM {sql.text} GROUP BY {order}",  # noqa: S608
            *sql.values,
        )
        count = sum(row[-1] for row in rows)
        if divisible and count > ROWS:
            reading.length = max(UNITS[piece.span], (until - since) // FASTER // HOUR * HOUR)
            return
        way, found = operator.add if piece.sign > 0 else operator.sub, self._found
        for row in rows:
            place = begins[row[0]] if begins else row[0], row[1 : size - 1]
            outcomes = found.get(place)
            if outcomes is None:
                outcomes = found[place] = {}
            before = outcomes.get(row[size - 1], _NOTHING)
            if before is _NOTHING and piece.sign > 0:
                outcomes[row[size - 1]] = row[size:-1]
            else:
                outcomes[row[size - 1]] = tuple(map(way, before, row[size:-1]))
        work = count + KEPT * len(rows)
        self.work += ASKED + work
        reading.at = until
        reading.length = (until - since) * (min(FASTER, ROWS // 2 // work or 1) if work else FASTER)
        if until == piece.until:
            self._due.remove(reading)


def _told(sums: dict[str, tuple[int, ...]]) -> tuple[Sums, dict[str, int]]:
    errors = {outcome: each[0] for outcome, each in sorted(sums.items()) if outcome and each[0]}
    return Sums(*sums.get("", ())), errors
