"""A full disk under the database: requests are refused, nothing is lost, and it recovers."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import QUICK
from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.expect import answered, refused
from tests.kit.models import ALL_SCRIPTED, CHAT, models_toml
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"mount: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            return


def test_full_disk(small_disk: Path, tmp_path: Path, upstream: Upstream) -> None:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    server = Server(small_disk / "data", models=models, settings=QUICK)
    server.log = tmp_path / "test.log"  # the log has room
    with server:
        api, books = Api(server.url, server.token()), Books(server)
        answered(api.chat(model=CHAT, messages=Script().messages))
        script = Script(pieces=["字"] * 40, rate=20)
        with api.streaming(model=CHAT, messages=script.messages) as (stream, live):
            stream.take(next(live))
            filler = small_disk / "filler"
            fill(filler)
            for _ in range(3):
                reply = api.chat(model=CHAT, messages=Script().messages)
                refused(reply, 500, "Internal_error", "internal_error", "Internal error")
            # A stream that had begun goes on: what it costs is written when there is room.
            for event in live:
                stream.take(event)
        assert stream.done
        filler.unlink()
        end = time.monotonic() + 10
        while (reply := api.chat(model=CHAT, messages=Script().messages)).status != 200:
            assert time.monotonic() < end, reply.text
            time.sleep(0.2)
        entry = books.usage(stream.headers["x-request-id"])
        assert entry["completion_tokens"] == len(script.pieces)
        books.settled()
