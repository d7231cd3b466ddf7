"""The gateway and the database are started again, also where the system starts no process."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import cast

import psutil
import pytest
from structlog.testing import capture_logs

from tests.kit.catalogs import catalog_of
from xinghe.settings import Settings
from xinghe.storage import LocalServer
from xinghe.supervisor import children
from xinghe.supervisor.child import ServeError
from xinghe.supervisor.children import DatabaseProcess, GatewayProcess
from xinghe.supervisor.engines import Engines

SERVING = "tests.supervisor.serving"
"""What stands for the gateway."""


@pytest.fixture
def listeners() -> Iterator[list[socket.socket]]:
    made = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    yield made
    for each in made:
        each.close()


@pytest.fixture
async def gateway(
    tmp_path: Path, listeners: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[GatewayProcess]:
    monkeypatch.setattr(children, "GATEWAY", SERVING)
    settings = Settings(data=str(tmp_path))
    api, metrics = listeners
    made = GatewayProcess(settings, catalog_of(settings), api, metrics, Engines([], settings))
    yield made
    await made.stop()


def _serving() -> list[psutil.Process]:
    return [
        each
        for each in psutil.Process().children()
        if SERVING in each.cmdline() and each.status() != psutil.STATUS_ZOMBIE
    ]


async def until(check: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not check():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_gateway_that_no_process_is_started_for_is_tried_again(
    gateway: GatewayProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = asyncio.create_task(gateway.run())
    async with asyncio.timeout(60):
        await gateway.ready.wait()
    await until(_serving)
    (first,) = _serving()
    with monkeypatch.context() as without, capture_logs() as logs:
        without.setattr(sys, "executable", "/nowhere/python")
        first.kill()
        await until(lambda: task.done() or any("/nowhere" in str(each) for each in logs))
    assert not task.done()
    await until(_serving)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_first_gateway_that_no_process_is_started_for_ends_with_a_word(
    gateway: GatewayProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ServeError, match="/nowhere/python"):
        await gateway.run()


class Ended:
    """A PostgreSQL that has ended, and that the system starts no process for at first."""

    def __init__(self) -> None:
        self.launched = 0

    def ended(self) -> int | None:
        return 1 if self.launched < 2 else None

    def launch(self) -> None:
        self.launched += 1
        if self.launched == 1:
            raise BlockingIOError(os.strerror(11))


async def test_a_database_that_no_process_is_started_for_is_tried_again() -> None:
    server = Ended()
    task = asyncio.create_task(DatabaseProcess(cast("LocalServer", server)).run())
    await until(lambda: server.launched == 2 or task.done())
    assert not task.done()
    task.cancel()
