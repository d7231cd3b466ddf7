"""A database with one account of 1,000 micro-Tokens, its token's principal, and a ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.ledger.books import Books
from xinghe.accounts import Members, Principal, Principals, Tokens
from xinghe.ledger import Ledger
from xinghe.storage import Database


@pytest.fixture
async def database(tmp_path: Path, database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(tmp_path, database_url) as opened:
        yield opened


@pytest.fixture
async def members(database: Database) -> Members:
    return Members(database)


@pytest.fixture
async def tokens(database: Database) -> Tokens:
    return Tokens(database)


@pytest.fixture
async def principals(database: Database) -> Principals:
    return Principals(database)


@pytest.fixture
async def principal(members: Members, principals: Principals, tokens: Tokens) -> Principal:
    await members.create("a", amount=1000)
    principal = await principals.authenticate(await tokens.create("a", name="laptop"))
    assert principal is not None
    return principal


@pytest.fixture
async def ledger(database: Database) -> AsyncIterator[Ledger]:
    ledger = Ledger(database)
    await ledger.start()
    yield ledger
    await ledger.stop()


@pytest.fixture
async def books(database: Database, principal: Principal) -> AsyncIterator[Books]:
    """Whatever a test did, the books have to agree after it."""
    books = Books(database, principal)
    yield books
    await books.settled()
