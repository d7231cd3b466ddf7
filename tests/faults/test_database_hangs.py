"""PostgreSQL stands still and then dies with the service: what was delivered is charged."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.conftest import QUICK
from tests.faults.test_disk_full import Sent, until
from tests.kit.books import Books
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream

AT_WORK = 20


def postgres(data: Path) -> list[psutil.Process]:
    """The local server and its children."""
    pid = (data / "postgresql" / "postmaster.pid").read_text("utf-8").split()[0]
    root = psutil.Process(int(pid))
    return [root, *root.children(recursive=True)]


@pytest.mark.slow
async def test_all_that_leaves_while_it_hangs_is_charged(
    tmp_path: Path, upstream: Upstream
) -> None:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    server = Server(tmp_path / "data", "--postgres", models=models, settings=QUICK)
    asked = [Sent(bool(number % 2), None) for number in range(AT_WORK)]
    new = Sent(stream=False, key=None)
    with server:
        token = await asyncio.to_thread(server.token)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            sending = asyncio.gather(*(each.send(session, server.url, token) for each in asked))
            await until(lambda: all(upstream.attempts(each.script) for each in asked))
            hung = await asyncio.to_thread(postgres, server.data)
            for process in hung:
                with suppress(psutil.NoSuchProcess):  # one was just ending
                    process.suspend()
            await sending
            await new.send(session, server.url, token)
        for process in hung:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        books = Books(server)
        await asyncio.to_thread(books.settled)
        entries = await asyncio.to_thread(books.entries)
    assert all(each.delivered for each in asked)
    assert new.failed
    charged = [entry["request_id"] for entry in entries if entry["kind"] == "usage"]
    assert sorted(charged) == sorted(each.request_id for each in asked)
