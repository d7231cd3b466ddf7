"""The sums that a chart is made of, read in few and bounded questions."""

from __future__ import annotations

import asyncio

import msgspec

from xinghe.api.account.schema import UsageShown
from xinghe.console.calls import Calls
from xinghe.console.sums import LIMIT, sums
from xinghe.console.usage.filters import By, Filters, Metric
from xinghe.console.usage.totals import Totals

MOST = 8
"""Models, tokens or members that are told apart; the rest are one more."""
RANKED = 5 * LIMIT
"""Sums among which the largest are looked for; a chart is made of a page of them."""


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
    rows, following = await sums(api, question | {"by": asked.by}, LIMIT)
    if following is None:
        return Read(rows, asked.by)
    (keys, several), (whole, following) = await asyncio.gather(
        _largest(api, asked), sums(api, question, LIMIT)
    )
    if following is not None:
        return Read(whole, None, reached=whole[-1].until if whole else None)
    found = await asyncio.gather(
        *(sums(api, question | {"by": asked.by, asked.by: key}, LIMIT) for key in keys)
    )
    if not keys or any(following is not None for _, following in found):
        return Read(whole, None)
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
    found: dict[str, Totals] = {}
    for row in rows:
        found.setdefault(called(row, by)[0], Totals()).add(row)
    return sorted(found, key=lambda key: (-found[key].of(metric), -found[key].spent, key))


async def _largest(api: Calls, asked: Filters) -> tuple[list[str], int]:
    """The largest of very many, and how many there are; none where even that is too much."""
    if asked.by == "member" and not asked["group"]:
        return [], 0  # of himself, nobody may ask about others
    question = asked.filters | {"interval": "month", "by": asked.by}
    rows, following = await sums(api, question, RANKED)
    if following is not None:
        return [], 0
    keys = ranked(rows, asked.by, asked.metric)
    return [key for key in keys if key][:MOST], len(keys)
