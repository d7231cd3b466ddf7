"""Accounts on a database of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from xinghe.accounts import Members, Principals, Tokens
from xinghe.accounts.groups import Groups
from xinghe.accounts.invitations import Invitations
from xinghe.storage import Database


@pytest.fixture
async def database(tmp_path: Path, database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(tmp_path, database_url) as opened:
        yield opened


@pytest.fixture
async def members(database: Database) -> Members:
    return Members(database, actor="tester")


@pytest.fixture
async def tokens(database: Database) -> Tokens:
    return Tokens(database, actor="tester")


@pytest.fixture
async def principals(database: Database) -> Principals:
    return Principals(database)


@pytest.fixture
async def groups(database: Database) -> Groups:
    return Groups(database, actor="tester")


@pytest.fixture
async def invitations(database: Database) -> Invitations:
    return Invitations(database, actor="tester")
