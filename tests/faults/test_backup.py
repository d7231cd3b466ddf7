"""A backup of a service at work: nothing of the past is missing, and the books of it agree."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.faults.crowd import Reader, watch
from tests.faults.test_kill import until
from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.command import ended, xinghe
from tests.kit.expect import answered
from tests.kit.models import ALL_SCRIPTED, CHAT, models_toml
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream

STREAMS = 20


@pytest.mark.parametrize(
    "option", ["--host=127.0.0.1", pytest.param("--postgres", marks=pytest.mark.slow)]
)
async def test_of_a_service_at_work(option: str, upstream: Upstream, tmp_path: Path) -> None:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    with Server(tmp_path / "data", option, models=models) as server:
        await backed_up(server, upstream, tmp_path / "file")


async def backed_up(server: Server, upstream: Upstream, file: Path) -> None:
    token, books = server.token(), Books(server)
    script = Script(pieces=["字"] * 600, rate=60, pauses_at=60)
    readers = [
        Reader("default", {"model": CHAT, "messages": script.messages}) for _ in range(STREAMS)
    ]
    after = asyncio.Event()
    before: list[dict[str, Any]] = []

    async def answers() -> int:
        """Whole answers, one after another, as long as backups are made."""
        api, count = Api(server.url, token), 0
        while not after.is_set():
            reply = await asyncio.to_thread(api.chat, model=CHAT, messages=Script().messages)
            answered(reply)
            count += 1
        return count

    async def back_up() -> None:
        await until(lambda: all(reader.received > 10 for reader in readers))
        answering = asyncio.create_task(answers())
        while len(before) < 5:
            before[:] = await asyncio.to_thread(books.entries)
        before[:] = await asyncio.to_thread(books.entries)
        await asyncio.to_thread(server.run, "backup", str(file))
        upstream.resume(script)
        after.set()
        assert await answering > 1

    await watch(server.url, {"default": token}, readers, back_up)
    assert all(reader.done for reader in readers), "the streams felt it"
    await asyncio.to_thread(restored, server, file, before)


def restored(server: Server, file: Path, before: list[dict[str, Any]]) -> None:
    """Elsewhere, on SQLite: it has all from before, the open holds too, and goes on from there."""
    data = file.parent / "elsewhere"
    assert ended("restore", str(file), data=data)[2] == "the books agree\n"
    there = Server(data, models=(server.data / "models.toml").read_text("utf-8"))
    books = Books(there)
    assert books.entries()[-len(before) :] == before
    assert books.shown()["held"] > 0
    with there:  # which settles what the other left open
        books.settled()
        settled = {entry["request_id"] for entry in books.entries() if entry["kind"] == "usage"}
        assert len(settled) >= STREAMS + len(before) - 1
        reply = Api(there.url, there.token()).chat(model=CHAT, messages=Script().messages)
        answered(reply)
        books.settled()
    Books(server).settled()
    xinghe("ledger", "check", data=data)
