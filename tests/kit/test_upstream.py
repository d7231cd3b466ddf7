"""The scripted upstream does what its scripts say: the tests that lean on it need to know."""

from __future__ import annotations

import json
import time
from typing import get_args

import pytest

from tests.kit.raw import Connection
from tests.kit.script import SECRET, Fault, Script, Wire
from tests.kit.upstream import Upstream


def ask(connection: Connection, script: Script, stream: bool = True) -> None:
    body = {"model": "m", "stream": stream, "messages": script.messages}
    body["stream_options"] = {"include_usage": True}
    connection.request("POST", "/v1/chat/completions", json.dumps(body).encode())


def data_of(raw: bytes) -> list[str]:
    lines = raw.decode().replace("\r\n", "\n").split("\n")
    return [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]


@pytest.mark.parametrize("wire", get_args(Wire))
def test_every_wire_form_says_the_same(upstream: Upstream, wire: Wire) -> None:
    script = Script(wire=wire)
    with Connection(upstream.url) as connection:
        ask(connection, script)
        status, headers = connection.head()
        pieces = list(connection.pieces(headers))
    assert status == 200
    *chunks, done = data_of(b"".join(pieces))
    assert done == "[DONE]"
    bodies = [json.loads(chunk) for chunk in chunks]
    assert bodies[-1]["usage"]["completion_tokens"] == 3
    text = [c["delta"].get("content", "") for body in bodies for c in body["choices"]]
    assert "".join(text) == script.text
    if wire == "bytewise":
        assert max(map(len, pieces)) == 1
    if wire == "one_write":
        assert len(pieces) == 1
    seen = upstream.received(script)
    assert seen.done.wait(2)
    assert seen.ended


@pytest.mark.parametrize("fault", [f for f in get_args(Fault) if f != "none"])
def test_every_fault_is_one(upstream: Upstream, fault: Fault) -> None:
    script = Script(fault=fault, after=1, status=503)
    with Connection(upstream.url) as connection:
        ask(connection, script)
        try:
            status, headers = connection.head()
            body = b"".join(connection.pieces(headers))
        except ConnectionResetError:
            assert fault == "reset"
            return
    assert fault != "reset"
    assert (status == 503) == (fault == "status")
    assert (SECRET.encode() in body) == (fault != "truncate")
    assert b"[DONE]" not in body


def test_a_disconnect_is_seen_at_once(upstream: Upstream) -> None:
    script = Script(pieces=["x"] * 100, rate=20)
    with Connection(upstream.url) as connection:
        ask(connection, script)
        connection.head()
        time.sleep(0.3)
    left = time.monotonic()
    seen = upstream.received(script)
    assert seen.done.wait(2)
    assert seen.gone_at is not None
    assert seen.gone_at - left < 0.2
    assert 3 <= seen.sent <= 10


def test_connection_is_kept(upstream: Upstream) -> None:
    with Connection(upstream.url) as connection:
        for _ in range(3):
            ask(connection, Script(), stream=False)
            reply = connection.reply()
            assert reply.json["choices"][0]["message"]["content"] == "你好。"
