"""The usage details under each mount: an account, its entries, its usage over time, requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec

from xinghe.api.account.admitted import admitted
from xinghe.api.account.asked import place
from xinghe.api.account.balance import lines_of
from xinghe.api.account.details import Details
from xinghe.api.account.export_throttle import ExportThrottle
from xinghe.api.account.forms import send_json, send_rows
from xinghe.api.account.questions import (
    AccountQuery,
    EntriesQuery,
    FailedQuery,
    RequestQuery,
    UsageQuery,
)
from xinghe.api.account.schema import (
    AccountLine,
    EntryList,
    EntryShown,
    FailedList,
    FailedShown,
    RequestShown,
    UsageList,
    UsageShown,
)
from xinghe.api.exchange import Exchange
from xinghe.api.priced import Services, unless_gone
from xinghe.api.query import Query
from xinghe.usage.pages import Position
from xinghe.usage.series import Place

PAGE, MOST = 50, 1000
EXPORTED = 200
"""Rows of an export that are read, and sent, at once."""

P = TypeVar("P")
R = TypeVar("R", bound=msgspec.Struct)

ACCOUNT, ENTRIES = Query(AccountQuery), Query(EntriesQuery)
FAILED, USAGE, REQUEST = Query(FailedQuery), Query(UsageQuery), Query(RequestQuery)


class AccountRoute(msgspec.Struct):
    services: Services
    details: Details
    turns: ExportThrottle

    async def account(self, exchange: Exchange) -> None:
        query, form = await admitted(self.services, exchange, ACCOUNT)
        answer = await self.details.account(exchange.principal, query)
        if form == "json":
            await send_json(exchange, answer)
        else:
            await send_rows(
                exchange, form, AccountLine, _once(lines_of(answer)), "account", self.turns
            )

    async def request(self, exchange: Exchange) -> None:
        query, form = await admitted(self.services, exchange, REQUEST)
        answer = await self.details.request(exchange.principal, query, exchange.path_id)
        if form == "json":
            await send_json(exchange, answer)
        else:
            await send_rows(exchange, form, RequestShown, _once([answer]), "request", self.turns)

    async def entries(self, exchange: Exchange) -> None:
        query, form = await admitted(self.services, exchange, ENTRIES)
        page, after = self.details.entries(exchange.principal, query)
        if form == "json":
            await send_json(exchange, await page(after, query.limit or PAGE))
            return
        pages = _pages(page, after, Position, query.limit)
        await unless_gone(
            exchange, send_rows(exchange, form, EntryShown, pages, "entries", self.turns)
        )

    async def failed(self, exchange: Exchange) -> None:
        query, form = await admitted(self.services, exchange, FAILED)
        page, after = self.details.failed(exchange.principal, query)
        if form == "json":
            await send_json(exchange, await page(after, query.limit or PAGE))
            return
        pages = _pages(page, after, Position, query.limit)
        await unless_gone(
            exchange, send_rows(exchange, form, FailedShown, pages, "requests", self.turns)
        )

    async def usage(self, exchange: Exchange) -> None:
        query, form = await admitted(self.services, exchange, USAGE)
        page, start = await self.details.usage(exchange.principal, query)
        if form == "json":
            await send_json(exchange, await unless_gone(exchange, page(start, query.limit or MOST)))
            return
        pages = _pages(page, start, Place, query.limit)
        await unless_gone(
            exchange, send_rows(exchange, form, UsageShown, pages, "usage", self.turns)
        )


async def _pages(
    page: Callable[[P | None, int], Awaitable[EntryList | FailedList | UsageList]],
    start: P | None,
    kind: type[P],
    limit: int | None,
) -> AsyncIterator[Sequence[Any]]:
    """All rows from a place on, or as many as were asked for."""
    left, following = limit, start
    while left is None or left > 0:
        found = await page(following, EXPORTED if left is None else min(left, EXPORTED))
        yield found.data
        if found.next is None:
            return
        following = place(found.next, kind)
        left = None if left is None else left - len(found.data)


async def _once(rows: Sequence[R]) -> AsyncIterator[Sequence[R]]:
    yield rows
