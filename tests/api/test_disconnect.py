"""A client that leaves: the engine stops, and only what was made is charged."""

from __future__ import annotations

import json
import socket
import time

from openai import OpenAI

from tests.kit import operations
from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.models import CHAT
from tests.kit.operations import Operation
from tests.kit.pace import allowed
from tests.kit.raw import Connection
from tests.kit.script import Script
from tests.kit.upstream import Received, Upstream

RATE = 10


def slow() -> Script:
    return Script(pieces=["字"] * 2400, rate=RATE, prompt_tokens=10)


def ask(
    connection: Connection, api: Api, operation: Operation, script: Script, *, stream: bool
) -> None:
    body = json.dumps(operation.body(script, stream=stream)).encode()
    connection.request("POST", operation.path, body, api.headers)


def cancelled_soon(seen: Received, left: float) -> None:
    assert seen.done.wait(120), "the upstream was never cancelled"
    assert seen.gone_at is not None
    assert seen.gone_at - left < allowed(2)


@operations.EACH
def test_from_a_stream(api: Api, upstream: Upstream, books: Books, operation: Operation) -> None:
    script = slow()
    with operations.streaming(api, operation, script) as (stream, live):
        for _ in live:
            if len(stream.text) >= 5:
                break
    left = time.monotonic()
    seen = upstream.received(script)
    cancelled_soon(seen, left)
    entry = books.usage(stream.id)
    assert entry["prompt_tokens"] > 0
    # Charged: what was received, and what was made until the cancel was confirmed.
    assert len(stream.text) <= entry["completion_tokens"] <= seen.sent
    books.settled()


def test_from_the_official_client(client: OpenAI, upstream: Upstream, books: Books) -> None:
    script = slow()
    stream = client.chat.completions.create(
        model=CHAT, messages=[{"role": "user", "content": script.prompt}], stream=True
    )
    first = next(iter(stream))
    stream.close()
    cancelled_soon(upstream.received(script), time.monotonic())
    assert books.usage(first.id)["completion_tokens"] < 50
    books.settled()


@operations.EACH
def test_from_an_answer_that_does_not_stream(
    api: Api, upstream: Upstream, books: Books, operation: Operation
) -> None:
    script = slow()
    with Connection(api.url) as connection:
        ask(connection, api, operation, script, stream=False)
        end = time.monotonic() + 60
        while not upstream.attempts(script) or upstream.received(script).sent < 3:
            assert time.monotonic() < end
            time.sleep(0.02)
    cancelled_soon(upstream.received(script), time.monotonic())
    books.settled()


@operations.EACH
def test_by_closing_the_sending_half_alone(
    api: Api, upstream: Upstream, books: Books, operation: Operation
) -> None:
    """Nothing on the wire tells it from a client that is gone."""
    script = slow()
    with Connection(api.url) as connection:
        ask(connection, api, operation, script, stream=True)
        assert connection.head()[0] == 200
        left = time.monotonic()
        connection.socket.shutdown(socket.SHUT_WR)
        cancelled_soon(upstream.received(script), left)
        while connection.socket.recv(65536):
            pass  # what was on its way, and then the end
    books.settled()


@operations.EACH
def test_before_the_first_byte(
    api: Api, upstream: Upstream, books: Books, operation: Operation
) -> None:
    script = Script(delay=200)
    with Connection(api.url) as connection:
        ask(connection, api, operation, script, stream=True)
        end = time.monotonic() + 60
        while not upstream.attempts(script):
            assert time.monotonic() < end
            time.sleep(0.02)
    cancelled_soon(upstream.received(script), time.monotonic())
    books.settled()
