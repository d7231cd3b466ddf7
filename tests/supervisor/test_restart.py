"""A child that is killed is started again, and clients hardly notice."""

from __future__ import annotations

import threading
import urllib.request

import pytest

from tests.conftest import MakeServer
from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.expect import answered
from tests.kit.models import CHAT, LONG_STORY
from tests.kit.raw import Reply
from tests.kit.script import Script
from tests.kit.server import Server
from tests.supervisor.kit import ENGINE, GATEWAY, child, ready, root, status, until

MODEL = "ernie-speed-8k"
NO_THREADS = b'xinghe_engine_threads{deployment="embedded"} 0.0\n'


def metrics(server: Server) -> bytes:
    with urllib.request.urlopen(server.metrics_url) as answer:
        told: bytes = answer.read()
    return told


@pytest.mark.embedded
def test_engine_killed(make_server: MakeServer, small_weights: str) -> None:
    server = make_server(embedded=small_weights)
    api = Api(server.url, server.token())
    answered(api.chat(model=MODEL, max_tokens=2))
    assert status(server, "/readyz") == 200

    engine, supervisor = child(server, ENGINE), root(server)
    during: list[Reply] = []
    asking = [
        threading.Thread(target=lambda: during.append(api.chat(model=MODEL, max_tokens=2)))
        for _ in range(4)
    ]
    supervisor.suspend()  # which would start it again at once
    try:
        engine.kill()
        until("not ready", lambda: not ready(server, "deployment embedded"))
        assert status(server, "/readyz") == 200  # others can answer
        assert status(server, "/healthz") == 200
        for thread in asking:
            thread.start()
    finally:
        supervisor.resume()
    until("no threads", lambda: NO_THREADS in metrics(server))
    until("ready again", lambda: ready(server, "deployment embedded"))
    for thread in asking:
        thread.join()
    # The gateway waited for the engine: the clients saw a slow answer, and nothing else.
    assert [reply.status for reply in during] == [200] * 4
    answered(api.chat(model=MODEL, max_tokens=2))
    assert child(server, ENGINE).pid != engine.pid
    Books(server).settled()


@pytest.mark.slow
@pytest.mark.embedded
def test_an_engine_that_is_stuck_is_replaced(make_server: MakeServer, small_weights: str) -> None:
    server = make_server(embedded=small_weights)
    api = Api(server.url, server.token())
    answered(api.chat(model=MODEL, max_tokens=2))
    engine = child(server, ENGINE)
    engine.suspend()
    assert api.chat(model=MODEL, max_tokens=2).status in (200, 500)
    engine.wait(60)
    answered(api.chat(model=MODEL, max_tokens=2))
    assert "engine_stuck" in server.log.read_text()
    Books(server).settled()


@pytest.mark.embedded
def test_engine_killed_midstream_charges_what_was_shown(
    make_server: MakeServer, small_weights: str
) -> None:
    server = make_server(embedded=small_weights)
    api = Api(server.url, server.token())
    count = [{"role": "user", "content": LONG_STORY.format(number=1)}]
    with api.streaming(model=MODEL, max_tokens=500, messages=count) as (stream, live):
        for event in live:
            stream.take(event)
            if len(stream.content) > 10:
                child(server, ENGINE).kill()
                break
        for event in live:
            stream.take(event)
    assert len(stream.errors) == 1
    assert stream.errors[0]["error"]["code"] == "dispatch_internal_error"
    assert not stream.done
    books = Books(server)
    charged = books.usage(stream.headers["x-request-id"])
    assert charged["prompt_tokens"] > 0
    assert 0 < charged["completion_tokens"] < 500
    books.settled()


def test_gateway_killed(make_server: MakeServer) -> None:
    server = make_server()
    api = Api(server.url, server.token())
    answered(api.chat(model=CHAT, messages=Script().messages))
    gateway = child(server, GATEWAY)
    gateway.kill()
    gateway.wait(60)
    # The same socket: a client that comes meanwhile waits, it is not refused.
    answered(api.chat(model=CHAT, messages=Script().messages))
    assert child(server, GATEWAY).pid != gateway.pid
    assert status(server, "/readyz") == 200
    Books(server).settled()


def test_gateway_killed_again_and_again(make_server: MakeServer) -> None:
    server = make_server()
    api = Api(server.url, server.token())
    for _ in range(3):
        child(server, GATEWAY).kill()
        answered(api.chat(model=CHAT, messages=Script().messages))
    assert len(root(server).children()) == 1
    Books(server).settled()
