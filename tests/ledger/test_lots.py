"""Expiry: what is swept, what an open hold keeps, and when."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from tests.kit.postgres import ON_SQLITE
from tests.ledger.books import Books, hold, used
from xinghe.accounts import Members, Principal
from xinghe.catalog.rate import Rate
from xinghe.core import Usage
from xinghe.ledger import InsufficientTokens, Ledger
from xinghe.storage import Database, now
from xinghe.storage.connection import StorageContended
from xinghe.storage.sqlite import SQLiteSession


async def expire(books: Books, lot: int) -> None:
    await books.database.write(
        lambda c: c.run("UPDATE lots SET expires_at = $1 WHERE id = $2", now() - 1, lot)
    )


async def left(books: Books) -> list[int]:
    """What each lot has left, the oldest first."""
    assert await books.database.drain() == 0
    query = "SELECT remaining FROM lots ORDER BY id"
    return await books.database.read(lambda c: [amount for (amount,) in c.rows(query)])


async def test_reserving_sweeps_what_expired_and_a_refusal_keeps_it_swept(
    ledger: Ledger, principal: Principal, books: Books
) -> None:
    await expire(books, 1)
    with pytest.raises(InsufficientTokens) as refused:
        async with hold(ledger, principal, Usage(), amount=1):
            pytest.fail("entered on expired Tokens")
    assert refused.value.available == 0
    assert await books.balance() == (0, 0)


async def test_an_open_hold_keeps_the_tokens_that_it_was_given(
    ledger: Ledger, principal: Principal, books: Books, members: Members
) -> None:
    usage = Usage()
    async with hold(ledger, principal, usage, rate=Rate(1, 0, 0), amount=300):
        await members.grant("a", 50)
        await expire(books, 1)
        assert await ledger.sweep() == 700
        assert await books.balance() == (50, 300)
        await books.agree()
        used(usage, 100, 0)
        usage.finished = True
    # What the hold gave back had expired meanwhile; the valid lot was not touched.
    assert await books.balance() == (250, 0)
    assert await ledger.sweep() == 200
    assert await books.balance() == (50, 0)


async def test_later_holds_keep_nothing_that_expired_before_them(
    ledger: Ledger, principal: Principal, books: Books, members: Members
) -> None:
    one_token = Rate(1, 0, 0)
    first, second = Usage(), Usage()
    await members.grant("a", 500)
    async with hold(ledger, principal, first, rate=one_token, amount=300):
        await expire(books, 1)
        async with hold(ledger, principal, second, rate=one_token, amount=400):
            assert await books.balance() == (100, 700)
            with pytest.raises(InsufficientTokens):
                async with hold(ledger, principal, Usage(), amount=101):
                    pytest.fail("entered on Tokens that expired before")
            used(second, 250, 0)
            second.finished = True
        # The second was promised valid Tokens only: the first still has all of its own.
        assert await left(books) == [300, 250]
        async with hold(ledger, principal, Usage(), amount=200):
            used(first, 100, 0)
            first.finished = True
    assert await left(books) == [200, 250]
    assert await ledger.sweep() == 200
    assert await books.balance() == (250, 0)


async def test_overlapping_holds_do_not_keep_an_expired_lot_for_ever(
    ledger: Ledger, principal: Principal, books: Books, members: Members
) -> None:
    await members.grant("a", 500)
    async with AsyncExitStack() as later:
        async with hold(ledger, principal, Usage(), amount=300):
            await expire(books, 1)
            await later.enter_async_context(hold(ledger, principal, Usage(), amount=400))
        # Only the later hold is open: what the first one kept goes.
        assert await books.database.drain() == 0
        assert await ledger.sweep() == 300
        assert await books.balance() == (100, 400)


async def test_sweeping_without_anything_due(ledger: Ledger, books: Books) -> None:
    assert await ledger.sweep() == 0
    assert await books.balance() == (1000, 0)


@ON_SQLITE
async def test_a_sweep_that_was_in_the_way_of_others_sweeps_all_the_same(
    ledger: Ledger, books: Books, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await expire(books, 1)
    commit, contended = SQLiteSession.commit, [False]

    def once_more(session: SQLiteSession) -> None:
        if not contended[0]:
            contended[0] = True
            raise StorageContended("deadlock detected")
        commit(session)

    monkeypatch.setattr(SQLiteSession, "commit", once_more)
    assert await ledger.sweep() == 1000
    assert await books.balance() == (0, 0)
    await books.agree()
