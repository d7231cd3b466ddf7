"""One request through the ledger: what each way to leave it costs."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from tests.ledger.books import Books, hold, left_by, used
from xinghe.accounts import Members, Principal
from xinghe.catalog.rate import Rate
from xinghe.core import ClientGone, Usage
from xinghe.ledger import InsufficientTokens, Ledger


async def test_a_finished_answer_costs_its_usage(
    ledger: Ledger, principal: Principal, books: Books
) -> None:
    usage = Usage()
    async with hold(ledger, principal, usage):
        assert await books.balance() == (900, 100)
        used(usage, prompt=6, completion=2, cached=4)
        usage.finished = True
    assert await books.balance() == (1000 - 28, 0)
    (entry,) = await books.usage()
    assert entry.amount == -(2 * 4 + 4 * 1 + 2 * 8)
    assert entry.balance_after == 972
    assert (entry.prompt_tokens, entry.completion_tokens, entry.cached_tokens) == (6, 2, 4)
    assert (entry.input_rate, entry.output_rate, entry.cached_rate) == (4, 8, 1)
    assert (entry.request_id, entry.model) == ("as-0123456789", "m")
    assert (entry.token_id, entry.token_name) == (principal.token_id, "laptop")


async def test_searches_are_charged_by_their_number(
    ledger: Ledger, principal: Principal, books: Books
) -> None:
    usage = Usage()
    async with hold(ledger, principal, usage, amount=200):
        used(usage, prompt=6, completion=2)
        usage.searches, usage.search_tokens, usage.reasoning_tokens = 2, 4, 1
        usage.finished = True
    (entry,) = await books.usage()
    assert entry.amount == -(6 * 4 + 2 * 8 + 2 * 25)
    assert (entry.prompt_tokens, entry.completion_tokens) == (6, 2)
    assert (entry.search_tokens, entry.searches, entry.search_rate) == (4, 2, 25)


async def test_who_leaves_after_a_search_pays_for_that(
    ledger: Ledger, principal: Principal, books: Books
) -> None:
    usage = Usage()
    counts = {"started": False, "prompt_tokens": 0, "completion_tokens": 0, "searches": 1}
    with pytest.raises(ClientGone):
        await left_by(ClientGone(), hold(ledger, principal, usage), usage, **counts)
    (entry,) = await books.usage()
    assert (entry.amount, entry.prompt_tokens, entry.searches) == (-25, 0, 1)


async def test_absurd_counts_of_searches_leave_no_hold_open(
    ledger: Ledger, principal: Principal, books: Books
) -> None:
    usage = Usage()
    async with hold(ledger, principal, usage):
        used(usage, prompt=5, completion=1)
        usage.searches, usage.search_tokens = 10**30, 10**30
        usage.finished = True
    (entry,) = await books.usage()
    assert (entry.amount, entry.search_tokens) == (-100, 5)


@pytest.mark.parametrize("kind", [asyncio.CancelledError, ClientGone])
@pytest.mark.parametrize(("started", "cost"), [(True, 5 * 4 + 3 * 8), (False, 0)])
async def test_a_client_that_leaves_pays_for_what_was_begun(
    ledger: Ledger,
    principal: Principal,
    books: Books,
    kind: type[BaseException],
    started: bool,
    cost: int,
) -> None:
    usage = Usage()
    with pytest.raises(kind):
        await left_by(kind(), hold(ledger, principal, usage), usage, started=started)
    assert await books.balance() == (1000 - cost, 0)
    assert len(await books.usage()) == int(started)


async def test_a_failure_costs_nothing(ledger: Ledger, principal: Principal, books: Books) -> None:
    usage = Usage()
    with pytest.raises(OSError, match="engine"):
        await left_by(OSError("engine died"), hold(ledger, principal, usage), usage)
    async with hold(ledger, principal, usage):
        pass  # ended without a word: nobody says that the answer is complete
    assert await books.balance() == (1000, 0)
    assert await books.usage() == []


@pytest.mark.parametrize("kind", [asyncio.CancelledError, ClientGone, OSError])
async def test_what_comes_after_the_end_changes_nothing(
    ledger: Ledger, principal: Principal, books: Books, kind: type[BaseException]
) -> None:
    usage = Usage()
    with pytest.raises(kind):
        await left_by(kind(), hold(ledger, principal, usage), usage, finished=True)
    assert await books.balance() == (1000 - 44, 0)


async def test_an_account_that_cannot_cover_it(
    ledger: Ledger, principal: Principal, books: Books
) -> None:
    async with hold(ledger, principal, Usage(), amount=600):
        with pytest.raises(InsufficientTokens) as refused:
            async with hold(ledger, principal, Usage(), amount=401):
                pytest.fail("entered without cover")
        assert (refused.value.available, refused.value.needed) == (400, 401)
        async with hold(ledger, principal, Usage(), amount=400):
            assert await books.balance() == (0, 1000)
    assert await books.balance() == (1000, 0)


async def test_usage_beyond_the_hold_is_the_operators_loss(
    ledger: Ledger, principal: Principal, books: Books
) -> None:
    usage = Usage()
    with capture_logs() as logs:
        async with hold(ledger, principal, usage):
            used(usage, 5, 1000)
            usage.finished = True
    assert await books.balance() == (900, 0)
    (line,) = [line for line in logs if line["event"] == "usage_exceeds_hold"]
    assert line["excess"] == 20 + 8000 - 100


async def test_a_cost_of_nothing_leaves_its_entry(
    ledger: Ledger, principal: Principal, books: Books
) -> None:
    usage = Usage()
    async with hold(ledger, principal, usage, rate=Rate(0, 0, 0), amount=0):
        used(usage, 5, 3)
        usage.finished = True
    (entry,) = await books.usage()
    assert (entry.amount, entry.completion_tokens) == (0, 3)


async def test_counts_that_make_no_sense_are_brought_into_range(
    ledger: Ledger, principal: Principal, books: Books
) -> None:
    usage = Usage()
    async with hold(ledger, principal, usage):
        used(usage, prompt=5, completion=-7, cached=50)
        usage.finished = True
    (entry,) = await books.usage()
    assert (entry.prompt_tokens, entry.completion_tokens, entry.cached_tokens) == (5, 0, 5)
    assert entry.amount == -5


async def test_counts_without_bound_still_settle(
    ledger: Ledger, principal: Principal, books: Books
) -> None:
    usage = Usage()
    async with hold(ledger, principal, usage):
        used(usage, prompt=2**63, completion=2**70, cached=2**64)
        ledger.checkpoint()
        usage.finished = True
    assert await books.balance() == (900, 0)
    (entry,) = await books.usage()
    assert entry.amount == -100
    assert {entry.prompt_tokens, entry.completion_tokens, entry.cached_tokens} == {10**12}


async def test_request_ids_may_collide(ledger: Ledger, principal: Principal, books: Books) -> None:
    usage = Usage()
    async with hold(ledger, principal, usage), hold(ledger, principal, usage):
        used(usage, 1, 1)
        usage.finished = True
    assert [entry.amount for entry in await books.usage()] == [-12, -12]


def test_a_negative_amount_is_refused(ledger: Ledger, principal: Principal) -> None:
    with pytest.raises(ValueError, match="amount -1"):
        hold(ledger, principal, Usage(), amount=-1)


async def test_the_soonest_expiring_lot_is_spent_first(
    ledger: Ledger, principal: Principal, books: Books, members: Members
) -> None:
    year_3000, year_4000 = 32_503_680_000_000_000, 64_060_588_800_000_000
    await members.grant("a", 50, expires_at=year_4000)
    await members.grant("a", 50, expires_at=year_3000)
    usage = Usage()
    async with hold(ledger, principal, usage, rate=Rate(1, 0, 0)):
        used(usage, 70, 0)
        usage.finished = True
    assert await books.balance() == (1030, 0)
    left = await books.database.read(lambda c: c.rows("SELECT remaining FROM lots ORDER BY id"))
    assert left == [(1000,), (30,), (0,)]
