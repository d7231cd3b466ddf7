"""What is taken back of a lot, and what moves into another wallet: never what is held."""

from __future__ import annotations

from functools import partial

import pytest

from tests.ledger.books import Books, hold
from tests.ledger.test_bound import give, spend
from tests.ledger.test_lots import expire, left
from xinghe.accounts import Members
from xinghe.core import Usage
from xinghe.ledger import Ledger
from xinghe.ledger.withdrawals import Shortage, removable, take_back, transfer
from xinghe.storage import now


async def back(books: Books, lot: int, amount: int) -> None:
    wallet = books.principal.member_id
    await books.database.write(
        lambda c: take_back(c, wallet, lot, amount, kind="correction", at=now())
    )


async def test_what_is_not_spent_comes_back(ledger: Ledger, books: Books) -> None:
    await spend(ledger, books, 300, model="m")
    with pytest.raises(Shortage) as refused:
        await back(books, 1, 701)
    assert refused.value.available == 700
    await back(books, 1, 700)
    assert await books.balance() == (0, 0)


@pytest.mark.parametrize("models", [(), ("m",)])
async def test_what_is_held_does_not(ledger: Ledger, books: Books, models: tuple[str, ...]) -> None:
    if models:
        await give(books, 1000, *models)
    lot = 2 if models else 1
    async with hold(ledger, books.principal, Usage(), amount=400):
        with pytest.raises(Shortage) as refused:
            await back(books, lot, 601)
        assert refused.value.available == 600
        await back(books, lot, 600)
        await books.agree()
    assert (await left(books))[lot - 1] == 400


async def test_what_has_expired_does_not(ledger: Ledger, books: Books) -> None:
    async with hold(ledger, books.principal, Usage(), amount=400):
        await expire(books, 1)
        wallet = books.principal.member_id
        assert await books.database.write(lambda c: removable(c, wallet, 1, now())) == 0
    await ledger.sweep()


async def test_a_transfer_takes_what_expires_soonest_and_keeps_its_expiry(
    ledger: Ledger, books: Books, members: Members
) -> None:
    other = (await members.create("b", amount=1)).id
    await give(books, 500, "m")
    soon = now() + 10**9
    await members.grant("a", 50, expires_at=soon)
    move = partial(transfer, source=books.principal.member_id, target=other, notes=("to b", "of a"))
    await books.database.write(lambda c: move(c, amount=80, at=now()))
    query = "SELECT amount, expires_at, note FROM lots WHERE wallet_id = $1 AND id > 2 ORDER BY id"
    assert await books.database.read(lambda c: c.rows(query, other)) == [
        (50, soon, "of a"),
        (30, None, "of a"),
    ]
    await books.agree()
    async with hold(ledger, books.principal, Usage(), model="n", amount=900):
        with pytest.raises(Shortage) as refused:
            await books.database.write(lambda c: move(c, amount=71, at=now()))
        assert refused.value.available == 70
    assert (await books.balance())[0] == 1470


async def test_a_transfer_takes_from_so_many_lots(
    books: Books, members: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = (await members.create("b", amount=1)).id
    monkeypatch.setattr("xinghe.ledger.withdrawals.LOTS", 3)
    for _ in range(3):
        await members.grant("a", 10)
    move = partial(transfer, source=books.principal.member_id, target=other, notes=("", ""))
    with pytest.raises(Shortage) as refused:
        await books.database.write(lambda c: move(c, amount=1021, at=now()))
    assert refused.value.available == 1020
    await books.database.write(lambda c: move(c, amount=1020, at=now()))
    assert (await books.balance())[0] == 10


async def test_what_has_expired_and_is_not_swept_yet_frees_nothing_that_is_held(
    ledger: Ledger, books: Books, members: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xinghe.ledger.expiry.ON_THE_WAY", 1)
    await members.grant("a", 700)
    await members.grant("a", 300)
    await expire(books, 1)
    await expire(books, 2)
    async with hold(ledger, books.principal, Usage(), amount=250):
        assert await books.balance() == (750, 250)  # the second has not been swept
        wallet = books.principal.member_id
        read = books.database.read
        assert await read(lambda c: removable(c, wallet, 3, now())) == 50
