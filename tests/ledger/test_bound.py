"""Tokens that are bound to models: they pay for these alone, before the rest, and for one hold."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial

import pytest

from tests.kit.postgres import ON_SQLITE
from tests.kit.sqlite import raw
from tests.ledger.books import Books, hold, used
from tests.ledger.test_lots import expire, left
from xinghe.accounts import Principal
from xinghe.catalog.rate import Rate
from xinghe.core import Usage
from xinghe.ledger import InsufficientTokens, Ledger, check, lots
from xinghe.storage import now
from xinghe.storage.sqlite import SQLiteSession

ONE_A_TOKEN = Rate(1, 0, 0)


async def give(books: Books, amount: int, *models: str, seconds: int | None = None) -> None:
    """A lot for some models."""
    at = now()
    until = None if seconds is None else at + seconds * 1_000_000
    credit = partial(lots.credit, kind="grant", at=at, expires_at=until, models=models)
    await books.database.write(lambda c: credit(c, books.principal.member_id, amount))


async def spend(ledger: Ledger, books: Books, amount: int, *, model: str, held: int = 0) -> None:
    usage = Usage()
    async with hold(
        ledger, books.principal, usage, model=model, amount=held or amount, rate=ONE_A_TOKEN
    ):
        used(usage, amount, 0)
        usage.finished = True


async def test_what_is_bound_pays_for_its_models_alone_and_first(
    ledger: Ledger, books: Books
) -> None:
    await give(books, 100, "m", "n")
    await spend(ledger, books, 30, model="m")
    assert await left(books) == [1000, 70]
    await spend(ledger, books, 10, model="another")
    assert await left(books) == [990, 70]
    await spend(ledger, books, 90, model="n")
    assert await left(books) == [970, 0]
    await books.agree()


async def test_what_expires_soonest_of_what_is_bound_is_first(ledger: Ledger, books: Books) -> None:
    await give(books, 100, "m")
    await give(books, 100, "m", "n", seconds=200)
    await give(books, 100, "m", seconds=100)
    await spend(ledger, books, 250, model="m")
    assert await left(books) == [1000, 50, 0, 0]


async def test_a_refusal_tells_what_there_is_for_the_model(ledger: Ledger, books: Books) -> None:
    await give(books, 500, "n")
    with pytest.raises(InsufficientTokens) as refused:
        await spend(ledger, books, 1200, model="m")
    assert refused.value.available == 1000
    with pytest.raises(InsufficientTokens) as refused:
        await ledger.cover(books.principal, "m", 1200)
    assert refused.value.available == 1000
    await ledger.cover(books.principal, "n", 1200)
    await spend(ledger, books, 1200, model="n")
    assert await left(books) == [300, 0]


async def test_two_holds_never_count_on_the_same_tokens(ledger: Ledger, books: Books) -> None:
    """Each of these models could have what is bound to both; the wallet has it once."""
    await give(books, 500, "m", "n")
    async with hold(ledger, books.principal, Usage(), model="m", amount=1200):
        await books.agree()
        with pytest.raises(InsufficientTokens) as refused:
            await spend(ledger, books, 400, model="n")
        assert refused.value.available == 300
        await spend(ledger, books, 300, model="n")
    assert await left(books) == [700, 500]


async def test_what_another_gave_back_pays_before_what_is_for_all(
    ledger: Ledger, books: Books
) -> None:
    await give(books, 100, "m")
    first, second = Usage(), Usage()
    async with AsyncExitStack() as later:
        again = hold(ledger, books.principal, second, amount=100, rate=ONE_A_TOKEN)
        async with hold(ledger, books.principal, first, amount=100, rate=ONE_A_TOKEN):
            await later.enter_async_context(again)
            used(first, 10, 0)
            first.finished = True
        used(second, 60, 0)
        second.finished = True
    assert await left(books) == [1000, 30]
    await books.agree()


async def test_a_hold_keeps_what_it_has_pinned_though_it_expires(
    ledger: Ledger, books: Books
) -> None:
    await give(books, 100, "m", seconds=1000)
    usage = Usage()
    async with hold(ledger, books.principal, usage, amount=60, rate=ONE_A_TOKEN):
        await expire(books, 2)
        assert await ledger.sweep() == 40
        await books.agree()
        used(usage, 50, 0)
        usage.finished = True
    assert await left(books) == [1000, 10]
    assert await ledger.sweep() == 10
    assert await left(books) == [1000, 0]


async def test_it_is_told_where_the_account_is_shown(books: Books) -> None:
    await give(books, 100, "n", "m", "n")
    found = await books.database.read(
        lambda c: c.value("SELECT models FROM lots WHERE models IS NOT NULL")
    )
    assert found == '["m","n"]'


@ON_SQLITE
@pytest.mark.parametrize(
    ("rule", "damage"),
    [
        (
            "what is bound is what bound lots have left beside the pins",
            "UPDATE wallets SET bound = bound - 1",
        ),
        ("what a lot has pinned is the sum of its pins", "UPDATE lots SET pinned = 7 WHERE id = 2"),
        ("what a lot has pinned is the sum of its pins", "DELETE FROM pins"),
        ("what an open hold has pinned is the sum of its pins", "UPDATE holds SET pinned = 1"),
        (
            "an open hold has its pins in bound lots of its wallet, within its amount",
            "UPDATE lots SET models = NULL",
        ),
        (
            "an open hold has its pins in bound lots of its wallet, within its amount",
            "UPDATE holds SET state = 'released', resolved_at = 1",
        ),
    ],
)
async def test_damage(rule: str, damage: str, ledger: Ledger, books: Books) -> None:
    await give(books, 100, "m")
    async with hold(ledger, books.principal, Usage(), amount=60):
        await books.agree()
        writer = raw(books.database)
        writer.execute("SAVEPOINT damage")
        writer.execute(damage)
        found = check(SQLiteSession(writer))
        writer.execute("ROLLBACK TO damage; RELEASE damage")
    assert rule in {finding.rule for finding in found}
    assert all(finding.where and finding.expected != finding.found for finding in found)


async def test_a_hold_of_nothing_pins_nothing(
    ledger: Ledger, books: Books, principal: Principal
) -> None:
    """As of a model that costs nothing."""
    await give(books, 100, "m")
    async with hold(ledger, principal, Usage(), amount=0, prompt_tokens=0):
        found = await books.database.read(lambda c: c.value("SELECT count(*) FROM pins"))
        assert found == 0
