"""Who a token says is calling, and every way in which it says nothing."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kit.postgres import ON_SQLITE
from xinghe.accounts import Members, Principals, Tokens, principal
from xinghe.storage import Database, now
from xinghe.storage.sqlite import SQLiteSession


async def test_a_good_token(members: Members, tokens: Tokens, principals: Principals) -> None:
    account = await members.create("星河")
    secret = await tokens.create("星河", name="laptop", models=["m1", "m2"])
    assert re.fullmatch(r"xh-[a-z0-9]{10}-[A-Za-z0-9]{43}", secret)
    found = await principals.authenticate(secret)
    assert found is not None
    assert (found.member_id, found.appid) == (account.id, account.appid)
    assert (found.member_name, found.token_name) == ("星河", "laptop")
    assert found.scopes == {"model.call", "account.read"}
    assert found.models == frozenset({"m1", "m2"})


async def test_without_models_all_are_allowed(
    members: Members, principals: Principals, tokens: Tokens
) -> None:
    await members.create("a")
    found = await principals.authenticate(await tokens.create("a", scopes=["admin"]))
    assert found is not None
    assert found.models is None
    assert found.scopes == {"admin"}


async def test_a_revoked_token_is_refused_at_once(
    members: Members, tokens: Tokens, principals: Principals
) -> None:
    await members.create("a")
    secret = await tokens.create("a")
    assert await principals.authenticate(secret) is not None
    await tokens.revoke(secret[3:13])
    assert await principals.authenticate(secret) is None


async def test_a_revocation_by_another_process_is_seen(
    members: Members, tokens: Tokens, principals: Principals, database: Database, database_url: str
) -> None:
    await members.create("a")
    secret = await tokens.create("a")
    assert await principals.authenticate(secret) is not None
    async with await Database.open(database.directory, database_url) as other:
        await Tokens(other).revoke("1")
    assert await principals.authenticate(secret) is None


async def test_an_expired_token(
    members: Members, tokens: Tokens, principals: Principals, monkeypatch: pytest.MonkeyPatch
) -> None:
    await members.create("a")
    secret = await tokens.create("a", expires_at=now() + 60_000_000)
    assert await principals.authenticate(secret) is not None
    at = now() + 120_000_000
    monkeypatch.setattr(principal, "now", lambda: at)  # what was read of it is known still
    assert await principals.authenticate(secret) is None


async def test_a_token_that_is_known_is_not_looked_up_again(
    tokens: Tokens, members: Members, principals: Principals, monkeypatch: pytest.MonkeyPatch
) -> None:
    await members.create("a")
    secret = await tokens.create("a")
    first = await principals.authenticate(secret)
    looked_up = []
    monkeypatch.setattr(principals, "_looked_up", lambda *asked: looked_up.append(asked))
    assert await principals.authenticate(secret) is first
    assert looked_up == []


@ON_SQLITE
async def test_who_stands_in_the_way_is_waited_for(
    members: Members, tokens: Tokens, principals: Principals, database: Database
) -> None:
    await members.create("a")
    secret = await tokens.create("a")
    assert await principals.authenticate(secret) is not None
    at_hand = database._at_hand
    assert isinstance(at_hand, SQLiteSession)
    at_hand._connection.set_exec_trace(_busy)
    assert await principals.authenticate(secret) is not None


def _busy(*_: object) -> bool:
    raise apsw.BusyError("database is locked")


async def test_a_wrong_secret_of_a_known_token(
    members: Members, tokens: Tokens, principals: Principals
) -> None:
    await members.create("a")
    secret = await tokens.create("a")
    last = "a" if secret[-1] != "a" else "b"
    assert await principals.authenticate(secret[:-1] + last) is None
    assert await principals.authenticate(secret + "\n") is None
    assert await principals.authenticate(secret.upper()) is None


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
async def test_garbage(principals: Principals, garbage: str) -> None:
    assert await principals.authenticate(garbage) is None


def test_any_text_at_all(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        database = runner.run(Database.open(tmp_path))
        well_formed = st.from_regex(r"xh-[a-z0-9]{10}-[A-Za-z0-9]{43}", fullmatch=True)

        @settings(max_examples=200, deadline=None)
        @given(st.text() | well_formed)
        def nobody(secret: str) -> None:
            assert runner.run(Principals(database).authenticate(secret)) is None

        nobody()
        runner.run(database.close())


@ON_SQLITE
async def test_no_secret_is_in_the_files(
    members: Members, tokens: Tokens, database: Database
) -> None:
    await members.create("a")
    secret = await tokens.create("a")
    content = b"".join(file.read_bytes() for file in database.directory.glob("xinghe.db*"))
    assert secret[3:13].encode() in content
    assert secret[14:].encode() not in content
