"""Connections on which nothing is asked, and requests that others stand behind."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.conftest import QUICK
from tests.kit.api import Api
from tests.kit.models import ALL_SCRIPTED, CHAT, models_toml
from tests.kit.pace import allowed
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream


@pytest.fixture(scope="module")
def hasty(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    settings = QUICK | {"XINGHE_SERVER__HEAD_TIMEOUT": "1"}
    with Server(tmp_path_factory.mktemp("idle"), models=models, settings=settings) as running:
        yield running


def dial(server: Server) -> socket.socket:
    parts = urlsplit(server.url)
    assert parts.hostname
    assert parts.port
    return socket.create_connection((parts.hostname, parts.port), timeout=120)


def read_until_closed(connection: socket.socket) -> bytes:
    data = b""
    while part := connection.recv(65536):
        data += part
    return data


def test_an_empty_line_after_an_answer_does_not_keep_the_connection(hasty: Server) -> None:
    with dial(hasty) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.3)
        connection.sendall(b"\r\n")
        began = time.monotonic()
        read_until_closed(connection)
        assert time.monotonic() - began < allowed(8)


def test_a_refusal_before_the_body_ends_the_connection(hasty: Server) -> None:
    with dial(hasty) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
        )
        answer = read_until_closed(connection)
        assert b"401" in answer.split(b"\r\n")[0]
        assert b"connection: close" in answer.lower()


def test_a_disconnect_is_noticed_behind_a_pipelined_request(
    hasty: Server, upstream: Upstream
) -> None:
    api = Api(hasty.url, hasty.token())
    script = Script(["字"] * 1600, rate=20)
    body = api_body(script)
    with dial(hasty) as connection:
        connection.sendall(
            b"POST /llm/lmapi/v3/chat/completions HTTP/1.1\r\nHost: x\r\n"
            + f"Authorization: Bearer {api.token}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
            + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        connection.recv(4096)
        # A reset, which arrives although reading is paused while a request waits its turn.
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    end = time.monotonic() + 60
    while upstream.received(script).gone_at is None:
        assert time.monotonic() < end, "the upstream still generates"
        time.sleep(0.1)


def api_body(script: Script) -> bytes:
    return json.dumps({"model": CHAT, "stream": True, "messages": script.messages}).encode()
