"""What the usage details say to whoever asks: for the API, and for the command line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal
from functools import partial
from typing import TypeAlias, cast

import msgspec

from xinghe.accounts import Limit, Principal
from xinghe.api.account import shown
from xinghe.api.account.asked import about, cursor, names, narrowed, period, place
from xinghe.api.account.balance import account
from xinghe.api.account.questions import (
    AccountQuery,
    EntriesQuery,
    FailedQuery,
    Filtered,
    RequestQuery,
    UsageQuery,
)
from xinghe.api.account.schema import (
    AccountShown,
    EntryList,
    FailedList,
    RequestShown,
    Totals,
    UsageList,
    UsageShown,
)
from xinghe.api.errors import ApiError, Errors, refuse
from xinghe.api.query import zone_of
from xinghe.core import tokens
from xinghe.ledger.windows import DAY, HOUR
from xinghe.storage import Connection, Database, now
from xinghe.usage import entries, failed, lines, requests, totals
from xinghe.usage.pages import EVER, Position
from xinghe.usage.series import Bucket, Dimension, Place, SeriesParams, Summing

LONGEST = {"hour": 31 * DAY, "day": 400 * DAY, "month": 4000 * DAY}
RECENT = {"hour": DAY - HOUR, "day": 29 * DAY, "month": 335 * DAY}
"""How far before now a series begins, if that is not said."""
MOST_NAME = 64
"""Characters of a request's id."""

Entries: TypeAlias = Callable[[Position | None, int], Awaitable[EntryList]]
"""A page of entries behind a position."""
Failed: TypeAlias = Callable[[Position | None, int], Awaitable[FailedList]]
"""A page of requests that failed."""
Usage: TypeAlias = Callable[[Place | None, int], Awaitable[UsageList]]
"""A page of a series from a place on."""


class Details(msgspec.Struct):
    """Every method raises `ApiError` for what may not be asked so, and `StorageError`."""

    database: Database
    left: Callable[[Limit], Awaitable[int]] | None = None
    """What is left of a budget that memory counts, in the process that does."""

    async def account(self, principal: Principal, query: AccountQuery) -> AccountShown:
        zone = zone_of(query.zone)

        def read(connection: Connection) -> tuple[AccountShown, list[Limit | None]]:
            found, _ = about(connection, principal, query.group, query.member)
            return account(connection, principal, found, zone)

        answer, in_memory = await self.database.read(read)
        for shown_one, limit in zip(answer.budgets, in_memory, strict=True):
            if limit is not None and self.left is not None:
                shown_one.left = Decimal(await self.left(limit))
                shown_one.used = shown_one.amount - shown_one.left
        return answer

    async def request(
        self, principal: Principal, query: RequestQuery, request_id: str
    ) -> RequestShown:
        zone = zone_of(query.zone)

        def read(connection: Connection) -> RequestShown:
            found, _ = about(connection, principal, query.group, query.member)
            told = None
            if request_id.isprintable() and len(request_id) <= MOST_NAME:
                told = requests.find(connection, found.scope, request_id, paying=found.paying)
            if told is None:
                raise ApiError(
                    Errors.NO_SUCH_PATH,
                    f"there is no request {request_id[:MOST_NAME]!r} here: what was charged is "
                    "kept, a failed request for seven days, one that cost nothing not at all",
                )
            wallet = (told[0] if isinstance(told, tuple) else told).wallet_id
            return shown.request(request_id, told, zone, _groups(connection, [wallet]))

        return await self.database.read(read)

    def entries(self, principal: Principal, query: EntriesQuery) -> tuple[Entries, Position | None]:
        """Reads pages; and where the first begins."""
        after = _behind(query)
        since, until = period(query, 0, EVER)

        async def page(after: Position | None, limit: int) -> EntryList:
            read = partial(_entries, principal, query, since, until, after, limit)
            return await self.database.read(read)

        return page, after

    def failed(self, principal: Principal, query: FailedQuery) -> tuple[Failed, Position | None]:
        """The same of the requests that failed."""
        after = _behind(query)
        since, until = period(query, 0, EVER)

        async def page(after: Position | None, limit: int) -> FailedList:
            read = partial(_failed, principal, query, since, until, after, limit)
            return await self.database.read(read)

        return page, after

    async def usage(self, principal: Principal, query: UsageQuery) -> tuple[Usage, Place | None]:
        """The same of a series."""
        asked = _asked(query)
        start = place(query.after, Place)
        if start is not None and not _is_place(start, asked.by):
            raise refuse("after", query.after, "the `next` of the page before")
        found, narrow = await self.database.read(
            partial(narrowed, principal=principal, query=query)
        )
        asked = msgspec.structs.replace(asked, token=narrow.token, member=narrow.member)

        async def page(start: Place | None, limit: int) -> UsageList:
            summing = Summing(found.scope, asked, start, limit=limit)
            while not await self.database.read(summing.step):
                pass
            buckets, following = summing.page()
            data = await self.database.read(partial(_buckets, asked, buckets))
            after = None if following is None else cursor(following)
            return UsageList("list", data, after is not None, after)

        return page, start


def _behind(query: Filtered) -> Position | None:
    after = place(query.after, Position)
    # Nothing is behind the time 0: from there, an export would go on for ever.
    if after is not None and not (0 < after.at <= EVER and 0 <= after.id <= EVER):
        raise refuse("after", query.after, "the `next` of the page before")
    return after


def _asked(query: UsageQuery) -> SeriesParams:
    zone_of(query.zone)
    by = cast("tuple[Dimension, ...]", tuple(query.by.split(","))) if query.by else ()
    if len(set(by)) < len(by):
        raise refuse("by", query.by, "each of model, token, member, group once")
    end = -(-now() // HOUR) * HOUR
    asked = SeriesParams(
        since=0, until=end, interval=query.interval, zone=query.zone, by=by, model=query.model
    )
    since, until = period(query, asked.window.part(end - RECENT[query.interval]), end)
    since, until = since // HOUR * HOUR, min(-(-until // HOUR) * HOUR, end)
    if until - since > LONGEST[query.interval]:
        days = LONGEST[query.interval] // DAY
        raise refuse("from", query.since, f"at most {days} days before to, by {query.interval}")
    return msgspec.structs.replace(asked, since=since, until=until)


def _is_place(start: Place, by: tuple[Dimension, ...]) -> bool:
    kinds = tuple(str if each == "model" else int for each in by)
    return 0 <= start.since <= EVER and tuple(map(type, start.key)) in ((), kinds)


def _entries(
    principal: Principal,
    query: EntriesQuery,
    since: int,
    until: int,
    after: Position | None,
    limit: int,
    connection: Connection,
) -> EntryList:
    found, narrow = narrowed(connection, principal, query)
    filters = lines.Filters(
        since=since,
        until=until,
        token=narrow.token,
        member=narrow.member,
        model=query.model,
        kind=query.kind,
        request_id=query.request_id,
    )
    page = entries.page(connection, found.scope, filters, after=after, limit=limit)
    sums = None
    if after is None:
        if query.request_id is not None:
            sums = totals.of_lines(page.rows)
        else:
            sums = totals.totals(connection, found.scope, filters)
    zone = zone_of(query.zone)
    groups = _groups(connection, {line.wallet_id for line in page.rows})
    manages = found.group is not None
    return EntryList(
        object="list",
        data=[shown.entry(line, zone, groups, manages=manages) for line in page.rows],
        has_more=page.next is not None,
        next=None if page.next is None else cursor(page.next),
        totals=None if sums is None else _totals(sums),
    )


def _failed(
    principal: Principal,
    query: FailedQuery,
    since: int,
    until: int,
    after: Position | None,
    limit: int,
    connection: Connection,
) -> FailedList:
    found, narrow = narrowed(connection, principal, query)
    filters = failed.Filters(
        since=since, until=until, token=narrow.token, member=narrow.member, model=query.model
    )
    page = failed.page(connection, found.scope, filters, after=after, limit=limit)
    zone, groups = zone_of(query.zone), _groups(connection, {row.wallet_id for row in page.rows})
    return FailedList(
        object="list",
        data=[shown.failed(row, zone, groups) for row in page.rows],
        has_more=page.next is not None,
        next=None if page.next is None else cursor(page.next),
    )


def _buckets(
    asked: SeriesParams, buckets: list[Bucket], connection: Connection
) -> list[UsageShown]:
    zone, by = zone_of(asked.zone), asked.by
    called: dict[str, dict[int, tuple[str, ...]]] = {}
    for what in by:
        if what != "model":
            ids = [cast("int", each.key[by.index(what)]) for each in buckets]
            called[what] = names(connection, what, ids)
    return [shown.bucket(each, by, zone, called) for each in buckets]


def _totals(sums: totals.Totals) -> Totals:
    used, booked = sums.used, sums.booked
    return Totals(
        requests=used.requests,
        prompt_tokens=used.prompt_tokens,
        completion_tokens=used.completion_tokens,
        cached_tokens=used.cached_tokens,
        reasoning_tokens=used.reasoning_tokens,
        searches=used.searches,
        spent=tokens(used.spend),
        granted=tokens(booked.granted),
        purchased=tokens(booked.purchased),
        redeemed=tokens(booked.redeemed),
        received=tokens(booked.received),
        sent=tokens(booked.sent),
        refunded=tokens(booked.refunded),
        expired=tokens(booked.expired),
    )


def _groups(connection: Connection, wallets: Iterable[int]) -> dict[int, str]:
    found = names(connection, "group", wallets)
    return {wallet: name[0] for wallet, name in found.items()}
