"""Expiry: what is swept, what an open hold keeps, and when."""

from __future__ import annotations

import pytest

from tests.ledger.books import Books, hold, used
from xinghe.accounts import Accounts, Principal
from xinghe.core import Meter, Rate
from xinghe.ledger import InsufficientTokens, Ledger
from xinghe.storage.clock import now


async def expire(books: Books, lot: int) -> None:
    await books.database.write(
        lambda c: c.execute("UPDATE lots SET expires_at = ? WHERE id = ?", (now() - 1, lot))
    )


async def test_reserving_sweeps_what_expired_and_a_refusal_keeps_it_swept(
    ledger: Ledger, principal: Principal, books: Books
) -> None:
    await expire(books, 1)
    with pytest.raises(InsufficientTokens) as refused:
        async with hold(ledger, principal, Meter(), amount=1):
            pytest.fail("entered on expired Tokens")
    assert refused.value.available == 0
    assert await books.balance() == (0, 0)


async def test_an_open_hold_keeps_the_tokens_that_it_was_given(
    ledger: Ledger, principal: Principal, books: Books, accounts: Accounts
) -> None:
    meter = Meter()
    async with hold(ledger, principal, meter, rate=Rate(1, 0, 0), amount=300):
        await accounts.grant("a", 50)
        await expire(books, 1)
        assert await ledger.sweep() == 700
        assert await books.balance() == (50, 300)
        await books.agree()
        used(meter, 100, 0)
        meter.finished = True
    # What the hold gave back had expired meanwhile; the valid lot was not touched.
    assert await books.balance() == (250, 0)
    assert await ledger.sweep() == 200
    assert await books.balance() == (50, 0)


async def test_sweeping_without_anything_due(ledger: Ledger, books: Books) -> None:
    assert await ledger.sweep() == 0
    assert await books.balance() == (1000, 0)
