"""Several processes, and processes that die."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import msgspec
import pytest

from tests.weights.hub import Hub
from tests.weights.kit import CONTENT, Notes, place, settings, weight
from xinghe.settings import Settings
from xinghe.weights.fetch import fetch_weight


async def pull(asked: Settings) -> asyncio.subprocess.Process:
    arguments = [msgspec.json.encode(weight()).decode(), msgspec.json.encode(asked).decode()]
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.weights.pull", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def arrived(cache: Path, size: int) -> None:
    """Wait until that many bytes are in the part file."""
    async with asyncio.timeout(100):
        while place(cache).arrived < size:  # noqa: ASYNC110  (another process writes it)
            await asyncio.sleep(0.02)


async def test_the_second_process_waits_and_finds_it_done(tmp_path: Path) -> None:
    async with Hub(CONTENT) as hub:
        hub.held_at = len(CONTENT) // 2
        first = await pull(settings(tmp_path, hub.url))
        await arrived(tmp_path, 1)
        second = await pull(settings(tmp_path, hub.url))
        assert second.stderr is not None
        async with asyncio.timeout(100):
            while b"another process is fetching" not in await second.stderr.readline():
                assert second.returncode is None
        hub.go.set()
        outputs = [await process.communicate() for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert outputs[0][0] == outputs[1][0] == f"{tmp_path / 'tiny.gguf'}\n".encode()
    assert hub.requests == [None]


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGINT])
async def test_a_killed_download_goes_on_where_it_stopped(
    tmp_path: Path, blow: signal.Signals
) -> None:
    async with Hub(CONTENT) as hub:
        hub.held_at = 300_000
        process = await pull(settings(tmp_path, hub.url))
        await arrived(tmp_path, 200_000)
        process.send_signal(blow)
        await process.communicate()
        kept = place(tmp_path).arrived
        assert 200_000 <= kept < len(CONTENT)
        hub.held_at, hub.requests = len(CONTENT), []
        path = await fetch_weight(settings(tmp_path, hub.url), weight(), Notes())
    assert hub.requests == [f"bytes={kept}-"]
    assert path.read_bytes() == CONTENT
