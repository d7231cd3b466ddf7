"""Usage over time: sums by hour, day or month, apart by model, token, member or group.

They come from the hourly roll-ups: an hour (UTC) counts for the day of a zone in which it begins.
"""

from __future__ import annotations

import datetime
import operator
import time
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from xinghe.core import MICRO
from xinghe.ledger.windows import DAY, HOUR, Window
from xinghe.storage import Connection
from xinghe.usage.scope import Scope, Source, Sql, by_index, rollups

Interval = Literal["hour", "day", "month"]
Dimension = Literal["model", "token", "member", "group"]
COLUMNS = {"group": "wallet_id", "member": "member_id", "token": "token_id", "model": "model"}

ROWS = 20_000
"""Roll-ups that one statement sums."""
SECONDS = 0.03
"""After which a step has done enough."""

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


_SUMS = ", ".join(f"CAST(sum(u.{name}) AS BIGINT)" for name in Sums.__struct_fields__)
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

    For a page, one bucket at least is summed, however much is in it. `part` is what tells buckets
    apart in SQL; by default, the interval does.
    """

    def __init__(
        self, scope: Scope, asked: SeriesParams, start: Place | None = None, *, part: str = ""
    ) -> None:
        self._asked = asked
        self._part = part
        self._start = Place(asked.since) if start is None else start
        self._sources = scope.sources(asked.member)
        self._due: list[Source] = []
        self._reached = self._end = max(asked.since, self._start.since)
        self.portions = 0
        """Of at most so many roll-ups of each source as `ROWS` says, but of an hour at least."""
        self._found: _Found = {}

    def step(self, connection: Connection) -> bool:
        """Sum a portion, or a part of it where that takes long; whether that was all."""
        until = time.monotonic() + SECONDS
        with by_index(connection):
            if not self._due and not self._done:
                self._due = list(self._sources)
                self.portions += 1
                self._end = _portion(connection, self._due, self._asked, self._reached)
            while self._due:
                self._sum(connection, self._due[-1])
                self._due.pop()
                if time.monotonic() > until:
                    break
        if not self._due:
            self._reached = max(self._reached, self._end)
        return self._done

    def page(self, limit: int) -> tuple[list[Bucket], Place | None]:
        """At most `limit` buckets in which there is anything, in order; where the next begin."""
        asked, window, start = self._asked, self._asked.window, self._start
        whole = self._reached >= asked.until
        complete = self._reached if whole else window.part(self._reached)
        buckets: list[Bucket] = []
        for part, key in sorted(self._found):
            if part >= complete:
                break
            if start.key and part <= start.since and key <= start.key:
                continue
            if len(buckets) == limit:
                return buckets, Place(max(buckets[-1].since, start.since), buckets[-1].key)
            until = min(window.left(part) or asked.until, asked.until)
            sums, errors = _told(self._found[part, key])
            buckets.append(Bucket(max(part, asked.since), until, key, sums, errors))
        return buckets, None if whole else Place(complete)

    def total(self) -> tuple[Sums, dict[str, int]]:
        """All that was asked for in one; `part` was 0."""
        return _told(self._found.get((0, ()), {}))

    @property
    def _done(self) -> bool:
        if self._due:
            return False
        if self._reached >= self._asked.until or not self._sources:
            return True
        if self._part:
            return False
        window = self._asked.window
        return window.part(self._reached) > window.part(self._start.since)

    def _sum(self, connection: Connection, source: Source) -> None:
        """Add what a source says of the running portion."""
        asked, begins, part = self._asked, dict[int, int](), self._part
        if not part:
            part, begins = _parts(asked, self._reached, self._end)
        columns = [f"u.{COLUMNS[each]}" for each in asked.by]
        apart = ", ".join([part, *columns, "u.outcome"])
        sql = _from(connection, f"{apart}, {_SUMS}", source, asked, self._reached, self._end)
        size = len(columns) + 2
        sql.add("GROUP BY " + ", ".join(str(1 + each) for each in range(size)))
        for row in connection.rows(sql.text, *sql.values):
            begin = begins[row[0]] if begins else row[0]
            outcomes = self._found.setdefault((begin, row[1 : size - 1]), {})
            sums, before = row[size:], outcomes.get(row[size - 1])
            outcomes[row[size - 1]] = (
                sums if before is None else tuple(map(operator.add, before, sums))
            )


def _told(sums: dict[str, tuple[int, ...]]) -> tuple[Sums, dict[str, int]]:
    errors = {outcome: each[0] for outcome, each in sorted(sums.items()) if outcome}
    return Sums(*sums.get("", ())), errors


def _from(
    connection: Connection, fields: str, source: Source, asked: SeriesParams, since: int, until: int
) -> Sql:
    table = rollups(connection, source, token=asked.token, model=asked.model)
    sql = Sql(f"SELECT {fields} FROM {table} WHERE")  # noqa: S608
    source.add(sql, "u", asked.token)
    sql.add("AND u.hour >= ? AND u.hour < ?", since, until)
    if asked.model is not None:
        sql.add("AND u.model = ?", asked.model)
    return sql


def _portion(connection: Connection, sources: list[Source], asked: SeriesParams, since: int) -> int:
    """Up to which hour one may sum: one hour at least."""
    end = asked.until
    for source in sources:
        sql = _from(connection, "u.hour", source, asked, since, end)
        sql.add(f"ORDER BY u.hour LIMIT 1 OFFSET {ROWS:d}")
        hour = connection.value(sql.text, *sql.values)
        if hour is not None:
            end = min(max(hour, since + HOUR), end)
    return end


def _parts(asked: SeriesParams, since: int, until: int) -> tuple[str, dict[int, int]]:
    """What tells buckets apart, in SQL, and when each begins: an hour says it itself.

    The days of a zone are counted from 1970 on, its months from the first that was asked for.
    """
    if asked.interval == "hour":
        return "u.hour", {}
    window = asked.window
    if asked.interval == "month":
        begins = [window.part(since)]
        while (following := window.left(begins[-1])) is not None and following < until:
            begins.append(following)
        return _stepwise(begins[1:], range(len(begins))), dict(enumerate(begins))
    zone = ZoneInfo(asked.zone)
    moments, offsets = zip(*_offsets(zone, since, until), strict=True)
    first, last = (since + offsets[0]) // DAY, (until + offsets[-1]) // DAY
    noons = {
        day: datetime.datetime(1970, 1, 1, 12, tzinfo=zone) + datetime.timedelta(days=day)
        for day in range(first, last + 1)
    }
    starts = {day: window.part(int(noon.timestamp()) * MICRO) for day, noon in noons.items()}
    return f"(u.hour + {_stepwise(moments[1:], offsets)}) / {DAY}", starts


def _stepwise(moments: Sequence[int], values: Sequence[int]) -> str:
    """In SQL: the first value before the first moment, the second from then on, and so on."""
    if not moments:
        return f"{values[0]:d}"
    steps = zip(moments, values, strict=False)
    whens = " ".join(f"WHEN u.hour < {moment:d} THEN {value:d}" for moment, value in steps)
    return f"CASE {whens} ELSE {values[-1]:d} END"


def _offsets(zone: ZoneInfo, since: int, until: int) -> Iterator[tuple[int, int]]:
    """From which moment on the zone is how far ahead of UTC, in microseconds."""
    low, known = since, _offset(zone, since)
    yield since, known
    for day in range(since + DAY, until + DAY, DAY):
        if _offset(zone, day) != known:
            high = day
            while high - low > HOUR:
                middle = low + (high - low) // HOUR // 2 * HOUR
                low, high = (middle, high) if _offset(zone, middle) == known else (low, middle)
            known = _offset(zone, high)
            yield high, known
        low = day


def _offset(zone: ZoneInfo, at: int) -> int:
    offset = datetime.datetime.fromtimestamp(at // MICRO, zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds()) * MICRO
