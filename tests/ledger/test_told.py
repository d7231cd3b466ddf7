"""What stands beside a charge: how the answer ended, and how long each part took."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import pytest

from tests.ledger.books import Books, hold, left_by, used
from xinghe.accounts import Principal
from xinghe.core import ClientGone, FinishReason, Usage
from xinghe.ledger import Entry, Ledger
from xinghe.storage import Database


async def told(books: Books) -> Entry:
    (entry,) = await books.usage()
    return entry


async def test_of_an_answer_that_ended(ledger: Ledger, principal: Principal, books: Books) -> None:
    now = time.perf_counter()
    usage = Usage(arrived=now - 2, first=now - 0.5)
    async with hold(ledger, principal, usage):
        used(usage, 5, 3)
        usage.reasoning_tokens = 2
        usage.finished, usage.finish = True, FinishReason.LENGTH
    entry = await told(books)
    assert (entry.finish, entry.reasoning_tokens, entry.first_ms) == ("length", 2, 1500)
    assert entry.wait_ms is not None
    assert entry.total_ms is not None
    assert 2000 <= entry.wait_ms <= entry.total_ms


async def test_of_one_without_tokens_that_come_one_by_one(
    ledger: Ledger, principal: Principal, books: Books, database: Database
) -> None:
    usage = Usage(arrived=time.perf_counter())
    async with hold(ledger, principal, usage, stream=False):
        used(usage, 5, 0)
        usage.finished = True
    entry = await told(books)
    assert (entry.finish, entry.first_ms) == ("normal", None)
    row = await database.read(
        lambda c: c.row("SELECT requests, timed, timed_tokens, first_ms, total_ms FROM usage_hours")
    )
    assert row == (1, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("error", "left", "finish"),
    [
        (ClientGone(), True, "client_gone"),
        (asyncio.CancelledError(), True, "client_gone"),
        (asyncio.CancelledError(), False, "interrupted"),
        (RuntimeError(), False, "interrupted"),
    ],
)
async def test_of_one_that_was_cut_off(
    error: BaseException,
    left: bool,
    finish: str,
    ledger: Ledger,
    principal: Principal,
    books: Books,
) -> None:
    usage = Usage(shown=True)
    with suppress(type(error)):
        await left_by(error, hold(ledger, principal, usage), usage, left=left)
    entry = await told(books)
    assert (entry.finish, entry.wait_ms, entry.total_ms) == (finish, None, None)


async def test_nonsense_stays_in_range(ledger: Ledger, principal: Principal, books: Books) -> None:
    now = time.perf_counter()
    usage = Usage(arrived=now + 5, first=now - 5, reasoning_tokens=-3)
    async with hold(ledger, principal, usage):
        used(usage, 5, 3)
        usage.finished = True
    entry = await told(books)
    assert (entry.reasoning_tokens, entry.wait_ms, entry.first_ms, entry.total_ms) == (0, 0, 0, 0)


async def test_hours_are_those_of_the_charge(
    ledger: Ledger, principal: Principal, books: Books, database: Database
) -> None:
    for cost in 3, 4:
        usage = Usage()
        async with hold(ledger, principal, usage):
            used(usage, 5, cost)
            usage.finished = True
    await books.settled()
    entries = await books.usage()
    rows = await database.read(
        lambda c: c.rows(
            "SELECT CAST(sum(requests) AS BIGINT), CAST(sum(completion_tokens) AS BIGINT), "
            "CAST(sum(spend) AS BIGINT), min(first_at), max(last_at) FROM usage_hours"
        )
    )
    assert rows == [(2, 7, -sum(entry.amount for entry in entries), entries[1].at, entries[0].at)]
