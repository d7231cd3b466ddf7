"""A reader that takes nothing: the engine is free long before, and he pays for what was made."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.conftest import QUICK
from tests.kit.api import DOCUMENTED, Api
from tests.kit.books import Books
from tests.kit.expect import answered
from tests.kit.models import ALL_SCRIPTED, CHAT, models_toml
from tests.kit.raw import Connection
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream

STALL_SECONDS = 12
"""Long enough for another answer, even on a machine that does much else."""
SETTINGS = QUICK | {"XINGHE_SERVER__STALL_TIMEOUT": str(STALL_SECONDS)}
PIECES = 1000
SCRIPT = Script(pieces=["字"] * PIECES, times=2000)
"""Six megabytes: more than the kernel keeps for one connection, less than the gateway does."""


@pytest.fixture
def server(upstream: Upstream, tmp_path: Path) -> Iterator[Server]:
    """A server of one slot that cuts a stalled reader off after a while."""
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    models = models.replace("slots = 64", "slots = 1")
    with Server(tmp_path / "data", models=models, settings=SETTINGS) as running:
        yield running


def established(server: Server, port: int) -> bool:
    """Whether the gateway still holds the connection of a client at this port."""
    # What it has closed may stay with the kernel for a while, as FIN_WAIT1.
    wanted = {"ESTABLISHED", "CLOSE_WAIT"}
    mine = urlsplit(server.url).port
    return any(
        connection.laddr[1] == mine and connection.raddr and connection.raddr[1] == port
        for connection in psutil.net_connections("tcp4")
        if connection.status in wanted and connection.laddr
    )


def test_reader_that_takes_nothing(server: Server, upstream: Upstream) -> None:
    api, books = Api(server.url, server.token()), Books(server)
    body = json.dumps({"model": CHAT, "messages": SCRIPT.messages, "stream": True}).encode()
    with Connection(server.url) as connection:
        port = connection.socket.getsockname()[1]
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.request("POST", f"{DOCUMENTED}/chat/completions", body, api.headers)
        began = time.monotonic()
        while not upstream.attempts(SCRIPT):
            assert time.monotonic() - began < 60, "the request did not reach the upstream"
            time.sleep(0.02)
        # The only slot is free although nothing was taken, and the reader is still there.
        answered(api.chat(model=CHAT, messages=Script().messages))
        assert upstream.received(SCRIPT).ended
        assert established(server, port)
        while established(server, port):
            assert time.monotonic() - began < STALL_SECONDS + 60, "the reader was not cut off"
            time.sleep(0.1)
        assert time.monotonic() - began > STALL_SECONDS
    books.settled()
    entries = [entry for entry in books.entries() if entry["kind"] == "usage"]
    assert sorted(entry["completion_tokens"] for entry in entries) == [3, PIECES]


@pytest.mark.slow
def test_reader_that_comes_late(server: Server, upstream: Upstream) -> None:
    """Some was written at once, the rest has waited: it gets all of it, in order."""
    script = Script(pieces=[chr(0x4E00 + number) for number in range(PIECES)], times=2000)
    body = json.dumps({"model": CHAT, "messages": script.messages, "stream": True}).encode()
    with Connection(server.url) as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        headers = Api(server.url, server.token()).headers
        connection.request("POST", f"{DOCUMENTED}/chat/completions", body, headers)
        began = time.monotonic()
        while not (upstream.attempts(script) and upstream.received(script).ended):
            assert time.monotonic() - began < 60, "the upstream was not read to its end"
            time.sleep(0.02)
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024 * 1024)
        reply = connection.reply()
    events = [event.removeprefix("data: ") for event in reply.text.split("\n\n")]
    assert events[-2:] == ["[DONE]", ""]
    chunks = [json.loads(event) for event in events[:-2] if event.startswith("{")]
    said = "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks)
    assert said == script.text
