"""A start that fails leaves nothing running, and a stop ends all that was started."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import psutil
import pytest

from tests.kit.catalogs import catalog_of
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.server import free_port
from xinghe.app import running
from xinghe.ledger import Ledger
from xinghe.search.service import SearchService
from xinghe.settings import Settings
from xinghe.storage import Database


class NoStart(Exception):
    """What the part that cannot start raises."""


async def fails(_: object) -> None:
    raise NoStart


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a service whose models need no embedded engine."""
    text = models_toml("http://127.0.0.1:1/v1", free_port(), ALL_SCRIPTED)
    (tmp_path / "models.toml").write_text(text, "utf-8")
    return Settings(data=str(tmp_path))


@pytest.fixture
def others() -> set[int]:
    """The processes of other tests' servers, which live as long as the session."""
    return {child.pid for child in psutil.Process().children()}


def left(settings: Settings, others: set[int]) -> list[str]:
    """What of the service still runs, or stands in the way of the next one."""
    me = asyncio.current_task()
    tasks = [str(task) for task in asyncio.all_tasks() if task is not me]
    mine = [child for child in psutil.Process().children() if child.pid not in others]
    children = [child.name() for child in mine]
    threads = [one.name for one in threading.enumerate() if one.name == "xinghe-writer"]
    locks = [lock.name for lock in (settings.data_dir / "owners").iterdir()]
    return tasks + children + threads + locks


async def test_a_start_that_fails_stops_what_was_started(
    settings: Settings, others: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SearchService, "start", fails)
    with pytest.raises(NoStart):
        async with running(settings, catalog_of(settings)):
            pytest.fail("it has started")
    assert left(settings, others) == []


async def test_a_ledger_that_cannot_start_is_told_at_once(
    settings: Settings, others: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def waits(_: Database, seconds: float = 0) -> None:
        pytest.fail("it waits for what is queued")

    monkeypatch.setattr(Ledger, "reap", fails)
    monkeypatch.setattr(Database, "drain", waits)
    with pytest.raises(NoStart):
        async with running(settings, catalog_of(settings)):
            pytest.fail("it has started")
    assert left(settings, others) == []


async def test_a_stop_ends_all_that_was_started(settings: Settings, others: set[int]) -> None:
    async with running(settings, catalog_of(settings)):
        assert left(settings, others)
    assert left(settings, others) == []
