"""The ways in, on a database of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from xinghe.accounts import Members
from xinghe.settings import SignIn as Settings
from xinghe.signin import Sessions, SignIn, set_password
from xinghe.storage import Database

HERE = "192.0.2.1"
PASSWORD = "correct horse battery"
BASE = "http://127.0.0.1:8000"

MakeSignIn = Callable[..., SignIn]


@pytest.fixture
async def database(tmp_path: Path, database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(tmp_path, database_url) as opened:
        yield opened


@pytest.fixture
async def members(database: Database) -> Members:
    return Members(database, actor="tester")


@pytest.fixture
async def make_signin(database: Database) -> AsyncIterator[MakeSignIn]:
    made: list[SignIn] = []

    def make(settings: Settings | None = None) -> SignIn:
        settings = settings or Settings()
        made.append(SignIn(database, settings, Sessions(database, settings), BASE))
        return made[-1]

    yield make
    for each in made:
        await each.aclose()


@pytest.fixture
async def signin(make_signin: MakeSignIn) -> SignIn:
    return make_signin()


@pytest.fixture
async def alice(database: Database, members: Members, signin: SignIn) -> None:
    """A member with the password `PASSWORD`."""
    await members.create("alice")
    await set_password(database, signin.passwords, "alice", PASSWORD, actor="tester")


async def disable(database: Database, name: str) -> None:
    """What the operator does to somebody."""
    disabled = "UPDATE members SET disabled_at = 1 WHERE name = $1"
    await database.write(lambda c: c.run(disabled, name))
