"""A database of each kind with two members, of whom one has 1,000 Tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.sales.codes.batch import TOKEN
from xinghe.accounts import Members
from xinghe.ledger import check
from xinghe.storage import Database


@pytest.fixture
async def database(tmp_path: Path, database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(tmp_path, database_url) as opened:
        members = Members(opened)
        await members.create("a", amount=1000 * TOKEN)
        await members.create("b", amount=0)
        assert await opened.read(check) == []
        yield opened
