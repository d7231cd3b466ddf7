"""Every gateway serves by the newest version within half a second, and goes on where it cannot."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.configuration.conftest import settings
from tests.kit.pace import allowed
from tests.kit.postgres import cluster
from xinghe.configuration import Changed, Configurations, Follower, Version
from xinghe.configuration import follower as following
from xinghe.configuration.configurations import TRIES
from xinghe.configuration.files import Found
from xinghe.configuration.importing import Import
from xinghe.storage import Database

V3 = "deepseek-v3"
WITHIN = 0.5
"""Seconds."""


class Gateway:
    """What serves: it notes what it was brought to, and may be unable to be brought further."""

    def __init__(self) -> None:
        self.applied: list[int] = []
        self.broken = ""

    async def apply(self, version: Version) -> None:
        if self.broken:
            raise OSError(self.broken)
        self.applied.append(version.number)


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
async def follower(configurations: Configurations, gateway: Gateway) -> AsyncIterator[Follower]:
    made = Follower(configurations, gateway)
    await made.start()
    yield made
    await made.stop()


async def seconds_until(done: Callable[[], bool], most: float = 60.0) -> float:
    begin = time.monotonic()
    while not done():
        assert time.monotonic() - begin < most
        await asyncio.sleep(0.01)
    return time.monotonic() - begin


async def test_a_change_of_another_process_is_followed(
    configurations: Configurations, follower: Follower, gateway: Gateway,
    tmp_path: Path, url: str,
) -> None:  # fmt: skip
    async with await Database.open(tmp_path, url) as other:
        them = Configurations(other, settings(tmp_path, url))
        await them.patch({"models": {V3: {"rpm": 5}}}, "cli:me", source="command")
        took = await seconds_until(lambda: gateway.applied == [1])
    assert took < allowed(WITHIN)
    assert follower.version == 1


async def test_a_change_of_this_process_is_there_at_once(
    configurations: Configurations, follower: Follower, gateway: Gateway
) -> None:
    outcome = await configurations.patch({"models": {V3: {"rpm": 5}}}, "app-1", source="api")
    assert await follower.reach(outcome.version.number) == ""
    assert gateway.applied == [1]


async def test_an_edited_file_is_followed(
    follower: Follower, gateway: Gateway, tmp_path: Path
) -> None:
    (tmp_path / "models.toml").write_text(f"[models.{V3}]\nrpm = 5\n", "utf-8")
    assert await seconds_until(lambda: gateway.applied == [1]) < allowed(1.5)
    (tmp_path / "models.toml").write_text(f"[models.{V3}\n", "utf-8")
    await seconds_until(lambda: bool(follower.file_troubles))
    (tmp_path / "models.toml").write_text(f"[models.{V3}]\nrpm = 6\n", "utf-8")
    await seconds_until(lambda: gateway.applied == [1, 2])
    assert follower.file_troubles == {}


async def test_versions_are_followed_while_a_file_is_read(
    configurations: Configurations, gateway: Gateway
) -> None:
    read, reading = configurations.files.changed, asyncio.Event()
    loop, done = asyncio.get_running_loop(), threading.Event()

    def slowly() -> Found | None:
        loop.call_soon_threadsafe(reading.set)
        done.wait(100)
        return read()

    configurations.files.changed = slowly  # type: ignore[method-assign]
    follower = Follower(configurations, gateway)
    await follower.start()
    try:
        await reading.wait()
        await configurations.patch({"models": {V3: {"rpm": 5}}}, "cli:me", source="command")
        await seconds_until(lambda: gateway.applied == [1])
    finally:
        done.set()
        await follower.stop()


class Contended(Configurations):
    """Others change something between every look at it and the change that was to follow."""

    looks = 0
    others = 10**6

    async def newest(self) -> int:
        self.looks += 1
        return await super().newest()

    async def examined(self, found: Found | None = None) -> Import:
        made = await super().examined(found)
        if self.others:
            self.others -= 1
            await self.patch({"models": {V3: {"tpm": self.others}}}, "app-1", source="api")
        return made


async def test_an_import_that_others_are_always_quicker_than_ends_and_is_tried_again(
    database: Database, gateway: Gateway, tmp_path: Path, url: str
) -> None:
    contended = Contended(database, settings(tmp_path, url))
    (tmp_path / "models.toml").write_text(f"[models.{V3}]\nrpm = 5\n", "utf-8")
    async with asyncio.timeout(60):
        with pytest.raises(Changed, match="try again"):
            await contended.import_files()
    made = Follower(contended, gateway)
    contended.others = TRIES + 1
    await made.start()
    await seconds_until(lambda: made.version > 0 and not contended.others)
    begin = time.monotonic()
    while (await contended.current()).tree["models"][V3].get("rpm") != 5:
        assert time.monotonic() - begin < 60
        await asyncio.sleep(0.02)
    await made.stop()


async def test_a_look_reads_once_where_there_is_nothing_new(
    database: Database, gateway: Gateway, tmp_path: Path, url: str
) -> None:
    counted = Contended(database, settings(tmp_path, url))
    counted.others = 0
    made = Follower(counted, gateway)
    await made._look_at_files()
    counted.looks = 0
    await made._look_at_files()
    assert counted.looks == 0
    await made._look()
    assert counted.looks == 1


async def test_what_cannot_be_applied_is_told_and_the_last_goes_on(
    configurations: Configurations, follower: Follower, gateway: Gateway
) -> None:
    await configurations.patch({"models": {V3: {"rpm": 5}}}, "app-1", source="api")
    await seconds_until(lambda: follower.version == 1)
    gateway.broken = "no weights"
    outcome = await configurations.patch({"models": {V3: {"rpm": 6}}}, "app-1", source="api")
    assert await follower.reach(outcome.version.number) == "no weights"
    assert follower.version == 1

    async def told() -> list[tuple[int, str]]:
        return [(each.version, each.trouble) for each in await configurations.places()]

    begin = time.monotonic()
    while await told() != [(1, "version 2: no weights")]:
        assert time.monotonic() - begin < 60
        await asyncio.sleep(0.02)
    gateway.broken = ""
    await configurations.revert(1, "app-1", source="api")
    await seconds_until(lambda: follower.version == 3)
    assert gateway.applied == [1, 3]
    begin = time.monotonic()
    while await told() != [(3, "")]:
        assert time.monotonic() - begin < 60
        await asyncio.sleep(0.02)


async def test_a_conflict_that_another_change_ends_is_told_no_more(
    configurations: Configurations, follower: Follower, tmp_path: Path
) -> None:
    (tmp_path / "models.toml").write_text(f"[models.{V3}]\nrpm = 5\n", "utf-8")
    await seconds_until(lambda: follower.version == 1)
    await configurations.patch({"models": {V3: {"rpm": 6}}}, "app-1", source="api")
    (tmp_path / "models.toml").write_text(f"[models.{V3}]\nrpm = 7\n", "utf-8")
    await seconds_until(lambda: bool(follower.file_troubles))
    await configurations.patch({"models": {V3: {"rpm": 7}}}, "app-1", source="api")
    await seconds_until(lambda: not follower.file_troubles)


async def test_a_file_that_names_another_is_imported_when_that_one_comes(
    configurations: Configurations, gateway: Gateway, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(following, "AGAIN_SECONDS", 0.5)
    model = tmp_path / "m.gguf"
    (tmp_path / "models.toml").write_text(
        f'[deployments.own]\nengine = "llamacpp"\nweights = "{model}"\n'
        f'[models.{V3}]\ndeployment = "own"\n',
        "utf-8",
    )
    follower = Follower(configurations, gateway)
    await follower.start()
    try:
        await seconds_until(lambda: "there is no file" in str(follower.file_troubles))
        model.write_bytes(b"GGUF")
        await seconds_until(lambda: gateway.applied == [1])
        assert follower.file_troubles == {}
    finally:
        await follower.stop()


async def test_what_is_wrong_with_a_link_ends_with_it(follower: Follower, tmp_path: Path) -> None:
    lists = tmp_path / "safety"
    lists.mkdir()
    for path in (tmp_path / "models.toml", lists / "a.txt"):
        path.symlink_to(path)
        await seconds_until(lambda: bool(follower.file_troubles))
        path.unlink()
        await seconds_until(lambda: not follower.file_troubles)


@pytest.mark.slow
async def test_a_database_that_is_away_for_a_while(gateway: Gateway, tmp_path: Path) -> None:
    with cluster(tmp_path / "own") as own:
        url = own.database()
        async with await Database.open(tmp_path, url) as database:
            configurations = Configurations(database, settings(tmp_path, url))
            made = Follower(configurations, gateway)
            await made.start()
            await asyncio.to_thread(own.server.stop)
            await asyncio.sleep(3)
            await asyncio.to_thread(own.server.start)
            async with await Database.open(tmp_path, url) as other:
                them = Configurations(other, settings(tmp_path, url))
                await them.patch({"models": {V3: {"rpm": 5}}}, "cli:me", source="command")
            await seconds_until(lambda: gateway.applied == [1])
            await made.stop()
