"""The sums that a chart is made of, read in few and bounded questions."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec

from xinghe.api.account.schema import UsageList, UsageShown
from xinghe.console.calls import Calls
from xinghe.console.usage.filters import By, Filters, Metric
from xinghe.console.usage.totals import Totals

USAGE = "/v1/account/usage"
MOST = 8
"""Models, tokens or members that are told apart; the rest are one more."""
LIMIT = 1000
"""Sums of one page, and the most that a chart is made of."""
RANKED = 5 * LIMIT
"""Sums among which the largest are looked for."""
SECONDS = 0.5
"""After which no further page is read: a chart then says how far it goes."""


class Read(msgspec.Struct):
    """Sums, told apart `by`, or by nothing where there was too much.

    Where there were many, `rows` are those of the largest alone, and `whole` are the sums of these
    and of the `others`. `reached` is the moment up to which it goes, where not all could be summed.
    """

    rows: list[UsageShown]
    by: By | None
    whole: list[UsageShown] | None = None
    others: int = 0
    reached: str | None = None


async def read(api: Calls, asked: Filters) -> Read:
    """What was used in a time. Raises `Refused`."""
    span = asked.span
    # Where the times are wrong, the API says what is wrong with them.
    interval = "day" if span is None else span.interval
    question = asked.filters | {"interval": interval}
    rows, following = await _rows(api, question | {"by": asked.by})
    if following is None:
        return Read(rows, asked.by)
    (keys, several), (whole, following) = await asyncio.gather(
        _largest(api, asked), _rows(api, question)
    )
    if following is not None:
        return Read(whole, None, reached=whole[-1].until if whole else None)
    if not keys:
        return Read(whole, None)
    found = await asyncio.gather(
        *(_rows(api, question | {"by": asked.by, asked.by: key}) for key in keys)
    )
    return Read([row for some, _ in found for row in some], asked.by, whole, several - len(keys))


def called(row: UsageShown, by: By | None) -> tuple[str, str]:
    """What a filter names a row by, and what people do."""
    match by:
        case "token":
            return row.token or "", row.token_name or ""
        case "member":
            return row.member or "", row.member_name or row.member or ""
        case "model":
            return row.model or "", row.model or ""
    return "", ""


def ranked(rows: list[UsageShown], by: By | None, metric: Metric) -> list[str]:
    """The names that filters know, the one with the most first."""
    sums: dict[str, Totals] = {}
    for row in rows:
        sums.setdefault(called(row, by)[0], Totals()).add(row)
    return sorted(sums, key=lambda key: (-sums[key].of(metric), -sums[key].spent, key))


async def _largest(api: Calls, asked: Filters) -> tuple[list[str], int]:
    """The largest of very many, and how many there are; none where even that is too much."""
    if asked.by == "member" and not asked["group"]:
        return [], 0  # of himself, nobody may ask about others
    question = asked.filters | {"interval": "month", "by": asked.by}
    rows, following = await _rows(api, question, RANKED)
    if following is not None:
        return [], 0
    keys = ranked(rows, asked.by, asked.metric)
    return [key for key in keys if key][:MOST], len(keys)


async def _rows(
    api: Calls, question: dict[str, Any], most: int = LIMIT
) -> tuple[list[UsageShown], str | None]:
    """Some pages of sums, and where they go on behind those."""
    rows: list[UsageShown] = []
    after: str | None = None
    end = time.monotonic() + SECONDS
    while True:
        found = await api.get(USAGE, UsageList, **question, limit=LIMIT, after=after)
        rows += found.data
        after = found.next
        if after is None or len(rows) >= most or time.monotonic() > end:
            return rows, after
