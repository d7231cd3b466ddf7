"""Refunds and transfers out of wallets with very many expired lots: no transaction sweeps all."""

from __future__ import annotations

import pytest

from tests.ledger.books import Books, hold, used
from tests.ledger.test_refund_race import bought
from xinghe.accounts import Members, transfers
from xinghe.core import MICRO, Usage
from xinghe.ledger import Ledger, expiry
from xinghe.sales import refunds
from xinghe.sales.refunds import Refund
from xinghe.storage import Connection, now

EXPIRED = 30
ON_THE_WAY = 4


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "ON_THE_WAY", ON_THE_WAY)


async def crowd(books: Books, members: Members) -> None:
    """Beside the 1000 micro-Tokens that the wallet has for good."""
    for _ in range(EXPIRED):
        await members.grant("a", 10)
    await books.database.write(
        lambda c: c.run("UPDATE lots SET expires_at = $1 WHERE amount = 10", now() - 1)
    )


async def swept(books: Books) -> int:
    query = "SELECT count(*) FROM entries WHERE kind = 'expiry'"
    found: int = await books.database.read(lambda c: c.value(query))
    return found


async def spend(ledger: Ledger, books: Books, amount: int) -> None:
    usage = Usage()
    async with hold(ledger, books.principal, usage, amount=amount):
        used(usage, amount // 4, 0)
        usage.finished = True
    await books.settled()


async def test_a_refund_sweeps_few_where_there_is_enough(books: Books, members: Members) -> None:
    await crowd(books, members)
    order = await books.database.write(lambda c: bought(c, books.principal.member_id, None))

    def refund(connection: Connection) -> Refund:
        return refunds.refund(
            connection, "a", order, None, reason="x", reference="1", created_by=None
        )

    assert (await books.database.write(refund)).amount == 1000
    assert await swept(books) == ON_THE_WAY
    await books.agree()


async def test_where_it_matters_what_has_expired_is_swept_in_batches(
    ledger: Ledger, books: Books, members: Members
) -> None:
    order = await books.database.write(lambda c: bought(c, books.principal.member_id, None))
    await spend(ledger, books, 1600)
    await crowd(books, members)

    def refund(connection: Connection) -> Refund:
        return refunds.refund(
            connection, "a", order, None, reason="x", reference="1", created_by=None
        )

    with pytest.raises(expiry.ManyExpired):
        await books.database.write(refund)
    assert await swept(books) == 0
    made = await expiry.swept(books.database, lambda: books.database.write(refund))
    assert made.amount == 400
    assert await swept(books) == EXPIRED
    assert await books.balance() == (0, 0)
    await books.agree()


async def test_a_transfer_sweeps_few_and_never_moves_what_has_expired(
    books: Books, members: Members
) -> None:
    other, mine = (await members.create("b", amount=0)).id, books.principal.member_id
    await members.grant("a", 2 * MICRO)
    await crowd(books, members)

    async def move(tokens: int) -> None:
        await books.database.write(
            lambda c: transfers.transfer(c, "a", mine, other, tokens * MICRO, "")
        )

    await move(1)
    assert await swept(books) == ON_THE_WAY
    with pytest.raises(expiry.ManyExpired):
        await move(2)
    await books.agree()
