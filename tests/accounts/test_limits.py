"""What a token is told of the budgets that memory counts, and in which order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.kit.budgets import change, group, limit
from xinghe.accounts import Members, Principal, Principals, Tokens
from xinghe.accounts.budget_tables import Unit
from xinghe.accounts.rules import AccountError
from xinghe.storage import Connection, Database


async def principal(principals: Principals, secret: str) -> Principal:
    found = await principals.authenticate(secret)
    assert found is not None
    return found


async def test_narrow_ones_come_before_wide_ones(
    members: Members, tokens: Tokens, principals: Principals, database: Database
) -> None:
    """And two who share some are told those in the same order, so that none waits for ever."""
    secrets = {}
    for name in ("Li", "Wu"):
        await members.create(name)
        secrets[name] = await tokens.create(name)

    def make(c: Connection) -> None:
        group(c, "school", "Wu")
        group(c, "club", "Li", "Wu")
        group(c, "one", "Li", below="school")
        group(c, "two", "Wu", below="school")
        limit(c, "concurrent", 90)
        limit(c, "concurrent", 9, "m")
        for each in ("school", "club", "one", "two"):
            limit(c, "concurrent", 20, group=each)
            limit(c, "concurrent", 2, "m", group=each)
        for name, secret in secrets.items():
            limit(c, "rpm", 60, member=name)
            limit(c, "concurrent", 3, "m", token=secret)

    await database.write(make)
    told = {
        name: [
            (each.whose, each.model)
            for each in (await principal(principals, secret)).standing.limits
        ]
        for name, secret in secrets.items()
    }
    own = [("the access token", "m"), ("the member", None)]
    wide = [
        (f"the {each}", model)
        for each in ("group school", "group club", "service")
        for model in ("m", None)
    ]
    assert told["Li"] == [*own, ("the group one", "m"), ("the group one", None), *wide]
    assert told["Wu"] == [*own, ("the group two", "m"), ("the group two", None), *wide]


async def test_amounts_as_they_are_now(
    members: Members, principals: Principals, database: Database
) -> None:
    await members.create("Li")
    make: list[Callable[[Connection], int]] = [
        lambda c: limit(c, "concurrent", 2, member="Li"),
        lambda c: limit(c, "concurrent", 20),
        lambda c: limit(c, "concurrent", 5, "m"),
    ]
    ids = [await database.write(each) for each in make]
    await database.write(lambda c: change(c, ids[0], 3))
    await database.write(lambda c: change(c, ids[2], None))
    assert await principals.amounts([*ids, 999]) == {ids[0]: 3, ids[1]: 20}


@pytest.mark.parametrize("unit", ["rpm", "tpm", "concurrent"])
@pytest.mark.parametrize("amount", [0, -1, 10**12 + 1])
async def test_what_no_limit_can_be(database: Database, unit: Unit, amount: int) -> None:
    says = f"^amount: {amount} is not allowed: 1 to 1000000000000$"
    with pytest.raises(AccountError, match=says):
        await database.write(lambda c: limit(c, unit, amount))
    budget = await database.write(lambda c: limit(c, unit, 10**12))
    with pytest.raises(AccountError, match=says):
        await database.write(lambda c: change(c, budget, amount))
