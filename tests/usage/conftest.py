"""Small books on either database, with a member, a class that pays for two more, and a stranger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.usage.small import Small
from xinghe.storage import Database


@pytest.fixture
async def database(tmp_path: Path, database_url: str) -> AsyncIterator[Database]:
    async with await Database.open(tmp_path, database_url) as opened:
        yield opened


@pytest.fixture
async def small(database: Database) -> Small:
    made = Small(database)
    await database.write(made.fill)
    return made
