"""Clients that never end: each is answered or cut off in its time, and pays for what was made."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
import pytest

from tests.conftest import QUICK
from tests.edge.conftest import CHAT_PATH, body, head
from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.expect import answered, refused
from tests.kit.models import ALL_SCRIPTED, CHAT, models_toml
from tests.kit.pace import allowed
from tests.kit.raw import Connection
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from xinghe.api.flow import MARGIN

HEAD_SECONDS = 1.5
STALL_SECONDS = 2.0
SETTINGS = QUICK | {
    "XINGHE_SERVER__HEAD_TIMEOUT": str(HEAD_SECONDS),
    "XINGHE_SERVER__STALL_TIMEOUT": str(STALL_SECONDS),
}
TIMEOUT = (408, "invalid_request_error", "request_timeout")


@pytest.fixture(scope="module")
def hasty(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with short limits, whose books agree in the end."""
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    with Server(tmp_path_factory.mktemp("hasty"), models=models, settings=SETTINGS) as running:
        yield running
        Books(running).settled()


@pytest.fixture(scope="module")
def hasty_api(hasty: Server) -> Api:
    return Api(hasty.url, hasty.token())


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", marks=pytest.mark.slow),
        pytest.param(b"P", marks=pytest.mark.slow),
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n",
    ],
)
def test_head_that_never_ends(hasty_api: Api, sent: bytes) -> None:
    with Connection(hasty_api.url, timeout=120) as connection:
        began = time.monotonic()
        connection.send(sent)
        refused(connection.reply(), *TIMEOUT, "head")
        assert HEAD_SECONDS - 0.2 < time.monotonic() - began < allowed(HEAD_SECONDS + 2)
        assert connection.socket.recv(1) == b""


def test_head_a_byte_at_a_time(hasty_api: Api) -> None:
    # Each byte is progress, but the head as a whole has its limit.
    with Connection(hasty_api.url, timeout=120) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            for letter in "GET /v1/models-and-more-and-more":
                connection.send(letter.encode())
                time.sleep(0.1)
        refused(connection.reply(), *TIMEOUT)


@pytest.mark.parametrize(
    "part",
    [
        pytest.param(b"", marks=pytest.mark.slow),
        pytest.param(b"5\r\n{", marks=pytest.mark.slow),
        b"1\r\n{\r\n" * 3,
    ],
)
def test_chunked_body_that_never_ends(hasty_api: Api, part: bytes) -> None:
    with Connection(hasty_api.url, timeout=120) as connection:
        connection.send(head(hasty_api, "Transfer-Encoding: chunked") + part)
        refused(connection.reply(), *TIMEOUT, "body")
        assert connection.socket.recv(1) == b""


def test_body_a_byte_at_a_time(hasty_api: Api) -> None:
    data = body()
    with Connection(hasty_api.url, timeout=120) as connection:
        connection.send(head(hasty_api, f"Content-Length: {len(data)}"))
        with suppress(BrokenPipeError, ConnectionResetError):
            for at in range(30):
                connection.send(data[at : at + 1])
                time.sleep(0.1)
        refused(connection.reply(), *TIMEOUT, "body")


def test_kept_connection_may_be_idle_for_longer(hasty_api: Api) -> None:
    data = body()
    with Connection(hasty_api.url, timeout=120) as connection:
        for pause in (HEAD_SECONDS + 1, 0):
            connection.request("POST", CHAT_PATH, data, hasty_api.headers)
            answered(connection.reply())
            time.sleep(pause)


def test_reader_of_a_byte_a_second(hasty: Server, hasty_api: Api, upstream: Upstream) -> None:
    # Six megabytes: more than the kernel keeps for one connection, less than the gateway does.
    script = Script(pieces=["字"] * 1000, times=2000)
    data = json.dumps({"model": CHAT, "messages": script.messages, "stream": True}).encode()
    with Connection(hasty.url, timeout=120) as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.request("POST", CHAT_PATH, data, hasty_api.headers)
        status, headers = connection.head()
        assert status == 200
        # The kernel still holds some of the answer when the rest of it is gone, so the end is
        # looked for in the log: one line a request, written when it is over.
        began = time.monotonic()
        while headers["x-request-id"] not in hasty.log.read_text("utf-8", "replace"):
            assert time.monotonic() - began < STALL_SECONDS + 60, "the reader was not cut off"
            connection.socket.recv(1)
            time.sleep(1)
    lines = hasty.log.read_text("utf-8", "replace").splitlines()
    assert any(headers["x-request-id"] in line and "client_gone" in line for line in lines)
    assert upstream.received(script).ended
    # On a slow machine the engine has not ended by then. A piece is more than one token.
    assert 500 < Books(hasty).usage(headers["x-request-id"])["completion_tokens"] <= 1024
    answered(hasty_api.chat(model=CHAT))


def dial(server: Server) -> Connection:
    """A connection whose kernel keeps little for the reader."""
    connection = Connection(server.url, timeout=120)
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    return connection


def whole(api: Api, close: bool = False) -> bytes:
    script = Script(pieces=["字"] * 1000, times=2000)
    data = json.dumps({"model": CHAT, "messages": script.messages}).encode()
    lines = ["Connection: close"] if close else []
    return head(api, f"Content-Length: {len(data)}", *lines) + data


def listed(api: Api) -> bytes:
    # Pipelined: together they are more than the kernel keeps.
    return head(api, method="GET", path="/v1/models") * 2000


@pytest.mark.parametrize("asked", [whole, listed])
def test_who_takes_nothing_of_an_answer_is_cut_off(
    hasty: Server, hasty_api: Api, asked: Callable[[Api], bytes]
) -> None:
    with dial(hasty) as connection:
        send_all(connection, asked(hasty_api))
        closed_within(connection, 2 * (STALL_SECONDS + MARGIN) + 60)
    answered(hasty_api.chat(model=CHAT))


def send_all(connection: Connection, data: bytes) -> None:
    """As much as goes out: the other side may stop reading, too."""
    connection.socket.settimeout(1)
    with suppress(TimeoutError, OSError):
        connection.socket.sendall(data)


def closed_within(connection: Connection, seconds: float) -> None:
    """The service lets go of the connection, although nothing of the answer is read."""
    port = connection.socket.getsockname()[1]
    end = time.monotonic() + seconds
    while held(port):
        assert time.monotonic() < end, "the connection is still open"
        time.sleep(0.2)


def held(port: int) -> bool:
    """Whether a process holds the other end of a connection; the kernel may for a while longer."""
    return any(
        each.raddr and each.raddr.port == port and each.pid is not None
        for each in psutil.net_connections("tcp")
    )


def test_a_slow_reader_of_a_whole_answer_gets_all_of_it(hasty: Server, hasty_api: Api) -> None:
    with dial(hasty) as connection:
        connection.send(whole(hasty_api, close=True))
        end = time.monotonic() + 2 * (STALL_SECONDS + MARGIN) + 2
        taken = b""
        while time.monotonic() < end:
            taken += connection.socket.recv(10_000)
            time.sleep(0.1)
        while part := connection.socket.recv(1_000_000):
            taken += part
    assert taken.count("字".encode()) == 2_000_000
