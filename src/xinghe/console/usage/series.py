"""Sums over time as a chart shows them: bars by hour, day or month, each of a few series."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from xinghe.api.account.schema import UsageShown
from xinghe.console.calls import Calls
from xinghe.console.usage.filters import Filters, Interval, Metric, Span
from xinghe.console.usage.reading import MOST, Read, called, ranked, read
from xinghe.console.usage.slots import Slot, place, slot, slots
from xinghe.console.usage.totals import Totals

OTHERS = "\n"
"""The key of the rest: no name is like it."""


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


async def chart(api: Calls, asked: Filters) -> Chart:
    """The sums of a time, told apart. Raises `Refused`."""
    found, span = await read(api, asked), asked.span
    made = Chart(Totals(), apart=found.by is not None, reached=found.reached)
    if span is None:
        return made
    made.interval = span.interval
    for row in found.rows if found.whole is None else found.whole:
        made.totals.add(row)
    made.series = _series(found, asked.metric)
    if found.whole is not None:
        rest = _rest(made.totals, (each.totals for each in made.series))
        made.series.append(Series(OTHERS, "", len(made.series), rest, found.others))
    made.bars = _bars(found, {each.key for each in made.series}, span)
    return made


def _series(found: Read, metric: Metric) -> list[Series]:
    """The largest first, then the others in one."""
    every: dict[str, Series] = {}
    for row in found.rows:
        key, name = called(row, found.by)
        every.setdefault(key, Series(key, name)).totals.add(row)
    order = [every[key] for key in ranked(found.rows, found.by, metric)]
    rest = order[MOST:]
    if len(rest) > 1:
        others = Series(OTHERS, "", several=len(rest))
        for each in rest:
            others.totals.join(each.totals)
        order[MOST:] = [others]
    for number, each in enumerate(order):
        each.place = number
    return order


def _bars(found: Read, kept: set[str], span: Span) -> list[Bar]:
    bars = {place: Bar(each) for place, each in slots(span).items()}
    begun: dict[str, Bar] = {}

    def bar(row: UsageShown) -> Bar:
        if row.since not in begun:
            begin = datetime.datetime.fromisoformat(row.since).astimezone(span.begin.tzinfo)
            # An hour of UTC may begin before the first day of a zone: that has a bar of its own.
            new = Bar(slot(begin, span))
            begun[row.since] = bars.setdefault(place(begin, span.interval), new)
        return begun[row.since]

    for row in found.rows:
        key = called(row, found.by)[0]
        bar(row).parts.setdefault(key if key in kept else OTHERS, Totals()).add(row)
    for row in found.whole or ():
        one, whole = bar(row), Totals()
        whole.add(row)
        rest = _rest(whole, one.parts.values())
        if rest.requests or rest.failed:
            one.parts[OTHERS] = rest
    return [bars[each] for each in sorted(bars)]


def _rest(whole: Totals, parts: Iterable[Totals]) -> Totals:
    """What is not told apart."""
    rest = Totals()
    rest.join(whole)
    for each in parts:
        rest.join(each, -1)
    return rest
