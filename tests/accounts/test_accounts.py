"""Accounts, grants, tokens, and what is recorded of them."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from xinghe.accounts import AccountError, Members, Principal, Principals, Tokens
from xinghe.accounts.rules import MAX_BALANCE
from xinghe.catalog.rate import Rate
from xinghe.core import INITIAL_GRANT, Usage
from xinghe.ledger import Ledger, check
from xinghe.storage import Database, now

DAY = 86_400_000_000


async def rows(database: Database, query: str) -> list[Any]:
    return await database.read(lambda c: c.rows(query))


async def test_a_new_account(members: Members, database: Database) -> None:
    account = await members.create("a")
    assert re.fullmatch(r"app-[a-z0-9]{10}", account.appid)
    assert (account.available, account.held) == (INITIAL_GRANT, 0)
    assert await members.get("a") == account
    assert await members.get(account.appid) == account
    assert await members.page() == [account]
    entries = await rows(database, "SELECT kind, amount, balance_after FROM entries")
    assert entries == [("grant", INITIAL_GRANT, INITIAL_GRANT)]


async def test_an_account_without_tokens(members: Members, database: Database) -> None:
    assert (await members.create("a", amount=0)).balance == 0
    assert await rows(database, "SELECT * FROM lots") == []
    assert await database.read(check) == []


async def test_a_name_is_given_once(members: Members, database: Database) -> None:
    outcomes = await asyncio.gather(
        *(members.create("a") for _ in range(5)), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, AccountError)]
    assert len(refused) == 4
    assert str(refused[0]) == "there is a member 'a' already"
    assert len(await members.page()) == 1
    assert await rows(database, "SELECT count(*) FROM audit") == [(1,)]


@pytest.mark.parametrize("name", ["", " a", "a\n", "x" * 65, "app-me", "\x00", "\ud800"])
async def test_names_that_are_refused(members: Members, tokens: Tokens, name: str) -> None:
    with pytest.raises(AccountError, match=r"^name: "):
        await members.create(name)
    await members.create("a")
    with pytest.raises(AccountError, match=r"^name: "):
        await tokens.create("a", name=name)
    assert len(await members.page()) == 1


async def test_a_grant(members: Members, database: Database) -> None:
    await members.create("a", amount=5)
    expires_at = now() + DAY
    after = await members.grant("a", 7, expires_at=expires_at, note="竞赛")
    assert after.available == 12
    found = await rows(database, "SELECT amount, remaining, expires_at, note FROM lots")
    assert found[1] == (7, 7, expires_at, "竞赛")
    assert await database.read(check) == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"amount": 0}, "amount: 0 Tokens"),
        ({"amount": -1}, "amount: -0.000001 Tokens"),
        ({"amount": MAX_BALANCE + 1}, "1000000000000 Tokens"),
        ({"amount": MAX_BALANCE}, "over 1000000000000 Tokens"),
        ({"expires_at": 1}, "expires_at: 1 "),
        ({"expires_at": 10**30}, "expires_at: 1000"),
        ({"note": "a\nb"}, "note: "),
        ({"note": "x" * 201}, "at most 200"),
        ({"name": "nobody"}, "no member 'nobody'"),
    ],
)
async def test_grants_that_are_refused(
    members: Members, database: Database, fields: dict[str, Any], message: str
) -> None:
    await members.create("a", amount=5)
    before = await rows(database, "SELECT (SELECT count(*) FROM audit), count(*) FROM entries")
    with pytest.raises(AccountError, match=message):
        await members.grant(**{"name": "a", "amount": 7, **fields})
    after = await rows(database, "SELECT (SELECT count(*) FROM audit), count(*) FROM entries")
    assert before == after
    assert (await members.get("a")).available == 5


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scopes": []}, "scopes: "),
        ({"scopes": ["root"]}, "one or more of model.call, account.read, admin"),
        ({"models": []}, "models: "),
        ({"models": [""]}, "models: "),
        ({"models": ["a\nb"]}, "models: "),
        ({"expires_at": now() - 1}, "expires_at: "),
        ({"member": "nobody"}, "no member 'nobody'"),
        ({"member": "app-0123456789"}, "no member 'app-0123456789'"),
    ],
)
async def test_tokens_that_are_refused(
    members: Members, tokens: Tokens, fields: dict[str, Any], message: str
) -> None:
    await members.create("a")
    with pytest.raises(AccountError, match=message):
        await tokens.create(**{"member": "a", **fields})
    assert await tokens.list() == []


async def test_tokens_are_listed_and_revoked(members: Members, tokens: Tokens) -> None:
    await members.create("a")
    await members.create("b")
    first = await tokens.create("a", name="one", expires_at=now() + DAY)
    second = await tokens.create("b", name="two", scopes=["admin", "model.call"])
    listed = await tokens.list()
    assert [(token.member, token.name) for token in listed] == [("a", "one"), ("b", "two")]
    assert listed[1].scopes == ["model.call", "admin"]
    assert [token.name for token in await tokens.list("b")] == ["two"]
    assert [token.state(now()) for token in listed] == ["active", "active"]
    assert listed[0].state(now() + 2 * DAY) == "expired"

    revoked = await tokens.revoke(first[3:13])
    assert revoked.state(now()) == "revoked"
    assert await tokens.revoke("1") == revoked
    assert (await tokens.revoke("2")).public_id == second[3:13]
    for unknown in ("3", "0123456789", "", "x" * 5000, "9" * 5000, "-1"):
        with pytest.raises(AccountError, match="no token"):
            await tokens.revoke(unknown)


async def test_acts_are_audited_without_secrets(
    members: Members, tokens: Tokens, database: Database
) -> None:
    account = await members.create("a")
    secret = await tokens.create("a")
    await members.grant("a", 7)
    await tokens.revoke("1")
    await tokens.revoke("1")
    found = await rows(database, "SELECT actor, action, subject FROM audit ORDER BY id")
    assert found == [
        ("tester", "member.create", account.appid),
        ("tester", "token.create", secret[3:13]),
        ("tester", "wallet.grant", account.appid),
        ("tester", "token.revoke", secret[3:13]),
    ]
    assert secret not in repr(await rows(database, "SELECT * FROM audit"))


async def use(database: Database, principal: Principal | None) -> None:
    assert principal is not None
    ledger = Ledger(database)
    await ledger.start()
    request = {"request_id": "as-0123456789", "model": "m", "rate": Rate(1, 1, 1)}
    async with ledger.hold(
        principal,
        **request,  # type: ignore[arg-type]
        amount=1,
        prompt_tokens=1,
        stream=False,
        usage=Usage(),
    ):
        pass
    await ledger.stop()


async def test_quickstart_leaves_one_unused_token(
    tokens: Tokens, principals: Principals, members: Members, database: Database
) -> None:
    first = await tokens.quickstart()
    principal = await principals.authenticate(first)
    assert principal is not None
    assert principal.member_name == "default"
    assert (await members.get("default")).available == INITIAL_GRANT

    second = await tokens.quickstart()
    assert await principals.authenticate(first) is None
    await use(database, await principals.authenticate(second))
    third = await tokens.quickstart()
    # Used once, though it cost nothing: somebody has it.
    assert await principals.authenticate(second) is not None
    assert await principals.authenticate(third) is not None
    await tokens.create("default", name="mine")
    await tokens.quickstart()
    states = [(token.name, token.state(now())) for token in await tokens.list()]
    assert states == [
        ("quickstart", "revoked"),
        ("quickstart", "active"),
        ("quickstart", "revoked"),
        ("mine", "active"),
        ("quickstart", "active"),
    ]
    assert len(await members.page()) == 1


async def test_default_is_made_only_where_there_is_no_account(members: Members) -> None:
    made = await members.ensure_default()
    assert made is not None
    assert made.name == "default"
    assert await members.ensure_default() is None
    assert len(await members.page()) == 1


@pytest.mark.parametrize("token", ["a\udcffb", "a\0b", "", "字", "9" * 30])
async def test_what_can_be_no_token(token: str, tokens: Tokens) -> None:
    with pytest.raises(AccountError, match="there is no token"):
        await tokens.revoke(token)
    with pytest.raises(AccountError, match="there is no token"):
        await tokens.cap(token, 5)
