"""The end of the service: in order, in time, or at once."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from tests.conftest import QUICK, MakeServer
from tests.kit import operations
from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.models import ALL_SCRIPTED, CHAT, models_toml
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from tests.supervisor.kit import root

GRACE_SECONDS = 1


@pytest.fixture
def hasty(upstream: Upstream, tmp_path: Path) -> Iterator[Server]:
    """A server that gives running answers one second to end."""
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    settings = QUICK | {"XINGHE_SERVER__GRACE": str(GRACE_SECONDS)}
    with Server(tmp_path / "data", models=models, settings=settings) as running:
        yield running


def test_streams_longer_than_the_grace_are_cut_off_and_settled(
    hasty: Server, upstream: Upstream
) -> None:
    """Of each operation, with an error in its own form."""
    api = Api(hasty.url, hasty.token())
    scripts = [Script(pieces=["字"] * 600, rate=20) for _ in operations.ALL]
    with ExitStack() as stack:
        streams = [
            stack.enter_context(operations.streaming(api, each, script))
            for each, script in zip(operations.ALL, scripts, strict=True)
        ]
        for seen, live in streams:
            while len(seen.text) < 10:
                next(live)
        began = time.monotonic()
        assert hasty.stop() == 0
        assert GRACE_SECONDS <= time.monotonic() - began < GRACE_SECONDS + 20
        for _, live in streams:
            with suppress(EOFError, ConnectionError):
                for _ in live:
                    pass
    books = Books(hasty)
    for (seen, _), script in zip(streams, scripts, strict=True):
        assert not seen.done
        assert seen.error is not None
        assert "the service was stopped" in seen.error["message"]
        told = upstream.received(script)
        assert told.done.wait(60)
        # Settled by the gateway itself on its way out: no second start was needed.
        entry = books.usage(seen.id)
        assert len(seen.text) <= entry["completion_tokens"] <= told.sent
        assert entry.get("note", "") == ""
    books.settled()


def test_told_twice_it_ends_at_once(make_server: MakeServer) -> None:
    server = make_server()
    api = Api(server.url, server.token())
    script = Script(pieces=["字"] * 600, rate=20)
    with api.streaming(model=CHAT, messages=script.messages) as (stream, live):
        stream.take(next(live))
        family = [root(server), *root(server).children(recursive=True)]
        began = time.monotonic()
        family[0].send_signal(signal.SIGINT)
        time.sleep(1)  # a signal within half a second is the same one
        assert family[0].is_running()
        family[0].send_signal(signal.SIGINT)
        _, left = psutil.wait_procs(family, timeout=60)
        assert not left
        # It did not wait for the stream, nor for the grace of a shutdown.
        assert time.monotonic() - began < 20
    server.start()
    books = Books(server)
    assert books.usage(stream.headers["x-request-id"])["prompt_tokens"] > 0
    books.settled()


def test_killed_supervisor_takes_all_with_it(make_server: MakeServer) -> None:
    server = make_server()
    supervisor = root(server)
    children = supervisor.children(recursive=True)
    assert children
    supervisor.kill()
    _, left = psutil.wait_procs([supervisor, *children], timeout=60)
    assert not left


@pytest.mark.embedded
def test_idle_service_stops_quickly(make_server: MakeServer, small_weights: str) -> None:
    server = make_server(embedded=small_weights)
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 20
