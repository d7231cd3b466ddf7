"""The applied versions, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from xinghe.configuration import Configurations
from xinghe.settings import Settings
from xinghe.storage import Database


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return ""
    database: str = request.getfixturevalue("postgres").database()
    return database


@pytest.fixture
async def database(url: str, tmp_path: Path) -> AsyncIterator[Database]:
    async with await Database.open(tmp_path, url) as opened:
        yield opened


@pytest.fixture
def configurations(database: Database, tmp_path: Path, url: str) -> Configurations:
    return Configurations(database, settings(tmp_path, url))


def settings(folder: Path, url: str) -> Settings:
    return Settings(data=str(folder), database=Settings().database.__class__(url))
