"""Who a token says is calling, and every way in which it says nothing."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kit.postgres import ON_SQLITE
from xinghe.accounts import Accounts
from xinghe.storage import Database, now


async def test_a_good_token(accounts: Accounts) -> None:
    account = await accounts.create_account("星河")
    secret = await accounts.create_token("星河", name="laptop", models=["m1", "m2"])
    assert re.fullmatch(r"xh-[a-z0-9]{10}-[A-Za-z0-9]{43}", secret)
    principal = await accounts.authenticate(secret)
    assert principal is not None
    assert (principal.account_id, principal.appid) == (account.id, account.appid)
    assert (principal.account_name, principal.token_name) == ("星河", "laptop")
    assert principal.scopes == {"model.call", "account.read"}
    assert principal.models == frozenset({"m1", "m2"})


async def test_without_models_all_are_allowed(accounts: Accounts) -> None:
    await accounts.create_account("a")
    principal = await accounts.authenticate(await accounts.create_token("a", scopes=["admin"]))
    assert principal is not None
    assert principal.models is None
    assert principal.scopes == {"admin"}


async def test_a_revoked_token_is_refused_at_once(accounts: Accounts) -> None:
    await accounts.create_account("a")
    secret = await accounts.create_token("a")
    assert await accounts.authenticate(secret) is not None
    await accounts.revoke_token(secret[3:13])
    assert await accounts.authenticate(secret) is None


async def test_a_revocation_by_another_process_is_seen(
    accounts: Accounts, database: Database, database_url: str
) -> None:
    await accounts.create_account("a")
    secret = await accounts.create_token("a")
    assert await accounts.authenticate(secret) is not None
    async with await Database.open(database.directory, database_url) as other:
        await Accounts(other).revoke_token("1")
    assert await accounts.authenticate(secret) is None


async def test_an_expired_token(accounts: Accounts, database: Database) -> None:
    await accounts.create_account("a")
    secret = await accounts.create_token("a", expires_at=now() + 60_000_000)
    assert await accounts.authenticate(secret) is not None
    await database.write(lambda c: c.run("UPDATE tokens SET expires_at = $1", now()))
    assert await accounts.authenticate(secret) is None


async def test_a_wrong_secret_of_a_known_token(accounts: Accounts) -> None:
    await accounts.create_account("a")
    secret = await accounts.create_token("a")
    last = "a" if secret[-1] != "a" else "b"
    assert await accounts.authenticate(secret[:-1] + last) is None
    assert await accounts.authenticate(secret + "\n") is None
    assert await accounts.authenticate(secret.upper()) is None


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "xh-",
        "Bearer",
        "\x00",
        "\ud800" * 57,
        "x" * 10_000_000,
        "xh-0123456789-" + "é" * 43,
        "xh-٠١٢٣٤٥٦٧٨٩-" + "a" * 43,
        "xh-012345678\x00-" + "a" * 43,
    ],
    ids=lambda garbage: ascii(garbage[:20]),
)
async def test_garbage(accounts: Accounts, garbage: str) -> None:
    assert await accounts.authenticate(garbage) is None


def test_any_text_at_all(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        database = runner.run(Database.open(tmp_path))
        accounts = Accounts(database)
        well_formed = st.from_regex(r"xh-[a-z0-9]{10}-[A-Za-z0-9]{43}", fullmatch=True)

        @settings(max_examples=200, deadline=None)
        @given(st.text() | well_formed)
        def nobody(secret: str) -> None:
            assert runner.run(accounts.authenticate(secret)) is None

        nobody()
        runner.run(database.close())


@ON_SQLITE
async def test_no_secret_is_in_the_files(accounts: Accounts, database: Database) -> None:
    await accounts.create_account("a")
    secret = await accounts.create_token("a")
    content = b"".join(file.read_bytes() for file in database.directory.glob("xinghe.db*"))
    assert secret[3:13].encode() in content
    assert secret[14:].encode() not in content
