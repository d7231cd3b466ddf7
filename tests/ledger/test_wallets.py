"""Which wallet pays: the first in the member's order that covers a request, never two."""

from __future__ import annotations

import pytest

from tests.ledger.books import Books, hold, used
from xinghe.accounts import Members, Principal, Principals, Tokens
from xinghe.accounts.group_tables import Pays
from xinghe.accounts.groups import Groups
from xinghe.core import Usage
from xinghe.ledger import InsufficientTokens, Ledger
from xinghe.storage import Database


@pytest.fixture
async def groups(database: Database) -> Groups:
    groups = Groups(database)
    await groups.create("class", amount=500)
    return groups


async def pupil(database: Database, groups: Groups, pays: Pays) -> Principal:
    """A member with 50 micro-Tokens, in a class with 500."""
    await Members(database).create("b", amount=50)
    await groups.add("class", "b", pays=pays)
    found = await Principals(database).authenticate(await Tokens(database).create("b"))
    assert found is not None
    return found


async def left(database: Database, groups: Groups) -> list[int]:
    """Of the own wallet, and of the class's."""
    assert await database.drain() == 0
    return [(await Members(database).get("b")).available, (await groups.get("class")).available]


async def test_the_first_that_covers_it(
    database: Database, ledger: Ledger, groups: Groups, books: Books
) -> None:
    payer, usage = await pupil(database, groups, "own,group"), Usage()
    async with hold(ledger, payer, usage, amount=40):
        assert await left(database, groups) == [10, 500]
        async with hold(ledger, payer, Usage(), amount=100):
            assert await left(database, groups) == [10, 400]
        used(usage, prompt=5, completion=1)
        usage.finished = True
    assert await left(database, groups) == [50 - 28, 500]
    await books.agree()


async def test_two_together_cover_nothing(
    database: Database, ledger: Ledger, groups: Groups, books: Books
) -> None:
    payer = await pupil(database, groups, "group,own")
    with pytest.raises(InsufficientTokens) as refused:
        async with hold(ledger, payer, Usage(), amount=501):
            pytest.fail("entered with two wallets")
    assert refused.value.available == 500, "what the fullest has"
    assert await left(database, groups) == [50, 500]
    await books.agree()
