"""Sums over time as a chart shows them: bars by hour, day or month, each of a few series."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import msgspec

from xinghe.api.account.schema import UsageList, UsageShown
from xinghe.console.calls import Calls
from xinghe.console.usage.asked import Asked, By, Interval, Metric
from xinghe.console.usage.slots import Slot, place, slot, slots

USAGE = "/v1/account/usage"
MOST = 8
"""Series that are told apart; the rest are one more."""
PAGES = 3
"""Of sums that are read for one chart."""
LIMIT = 1000
"""Sums of one page."""
OTHERS = "\n"
"""The key of the rest: no name is like it."""


class Totals(msgspec.Struct):
    """What was used in all. `requests` are those that were charged; `first` sums milliseconds."""

    spent: Decimal = Decimal(0)
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    timed: int = 0
    first: float = 0
    generated: float = 0
    generation_ms: int = 0
    errors: dict[str, int] = {}

    def add(self, row: UsageShown) -> None:
        self.spent += row.spent
        self.requests += row.requests - sum(row.errors.values())
        self.prompt_tokens += row.prompt_tokens
        self.completion_tokens += row.completion_tokens
        self.cached_tokens += row.cached_tokens
        self.timed += row.timed_requests
        self.first += (row.first_token_ms or 0) * row.timed_requests
        self.generated += (row.tokens_per_second or 0) * row.generation_ms
        self.generation_ms += row.generation_ms
        for code, count in row.errors.items():
            self.errors[code] = self.errors.get(code, 0) + count

    def of(self, metric: Metric) -> Decimal | int:
        match metric:
            case "spend":
                return self.spent
            case "requests":
                return self.requests
            case "input":
                return self.prompt_tokens
        return self.completion_tokens

    @property
    def failed(self) -> int:
        return sum(self.errors.values())

    @property
    def error_share(self) -> float | None:
        asked = self.requests + self.failed
        return self.failed / asked if asked else None

    @property
    def first_token_ms(self) -> float | None:
        return self.first / self.timed if self.timed else None

    @property
    def tokens_per_second(self) -> float | None:
        return self.generated / self.generation_ms if self.generation_ms else None


class Series(msgspec.Struct):
    """A model, token or member: what a filter names it by, what people do, and its place.

    The last may be the others, of which there are `several`.
    """

    key: str
    name: str
    place: int = 0
    totals: Totals = msgspec.field(default_factory=Totals)
    several: int = 0


class Bar(msgspec.Struct):
    """A piece of the time, and what was used in it, by the key of a series."""

    slot: Slot
    parts: dict[str, Totals] = {}

    def of(self, metric: Metric) -> Decimal | int:
        return sum((each.of(metric) for each in self.parts.values()), 0)


class Chart(msgspec.Struct):
    """All of it. `apart` is false where there was too much to be told apart; `reached` is the
    moment up to which it tells, where there was too much to be summed.
    """

    totals: Totals
    series: list[Series] = []
    bars: list[Bar] = []
    interval: Interval = "day"
    apart: bool = True
    reached: str | None = None


async def chart(api: Calls, asked: Asked) -> Chart:
    """The sums of a time, told apart. Raises `Refused`."""
    span = asked.span
    # Where the times are wrong, the API says what is wrong with them.
    interval: Interval = "day" if span is None else span.interval
    question: dict[str, Any] = asked.filters | {"interval": interval, "limit": LIMIT}
    by: By | None = asked.by
    rows, following = await _rows(api, question | {"by": by})
    if following is not None:
        by = None
        rows, following = await _rows(api, question)
    made = Chart(Totals(), interval=interval, apart=by is not None)
    if following is not None and rows:
        made.reached = rows[-1].until
    if span is None:
        return made
    for row in rows:
        made.totals.add(row)
    made.series = _series(rows, by, asked.metric)
    kept = {each.key for each in made.series}
    bars = {place: Bar(each) for place, each in slots(span).items()}
    begun: dict[str, Bar] = {}
    for row in rows:
        bar = begun.get(row.since)
        if bar is None:
            begin = datetime.datetime.fromisoformat(row.since).astimezone(span.begin.tzinfo)
            # An hour of UTC may begin before the first day of a zone: that has a bar of its own.
            bar = bars.setdefault(place(begin, interval), Bar(slot(begin, span)))
            begun[row.since] = bar
        key = _called(row, by)[0]
        bar.parts.setdefault(key if key in kept else OTHERS, Totals()).add(row)
    made.bars = [bars[each] for each in sorted(bars)]
    return made


async def _rows(api: Calls, question: dict[str, Any]) -> tuple[list[UsageShown], str | None]:
    """Some pages of sums, and where they go on behind those."""
    rows: list[UsageShown] = []
    after: str | None = None
    for _ in range(PAGES):
        found = await api.get(USAGE, UsageList, **question, after=after)
        rows += found.data
        after = found.next
        if after is None:
            break
    return rows, after


def _series(rows: list[UsageShown], by: By | None, metric: Metric) -> list[Series]:
    """The largest first, then the others in one."""
    found: dict[str, Series] = {}
    for row in rows:
        key, name = _called(row, by)
        found.setdefault(key, Series(key, name)).totals.add(row)
    ranked = sorted(
        found.values(), key=lambda each: (-each.totals.of(metric), -each.totals.spent, each.key)
    )
    rest = ranked[MOST:]
    if len(rest) > 1:
        others = Series(OTHERS, "", several=len(rest))
        keys = {each.key for each in rest}
        for row in rows:
            if _called(row, by)[0] in keys:
                others.totals.add(row)
        ranked[MOST:] = [others]
    for number, each in enumerate(ranked):
        each.place = number
    return ranked


def _called(row: UsageShown, by: By | None) -> tuple[str, str]:
    """What a filter names a row by, and what people do."""
    match by:
        case "token":
            return row.token or "", row.token_name or ""
        case "member":
            return row.member or "", row.member_name or row.member or ""
        case "model":
            return row.model or "", row.model or ""
    return "", ""
