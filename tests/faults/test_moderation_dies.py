"""Long texts whose moderation dies: an honest error, never an answer to what nobody looked at."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.conftest import MakeServer
from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.expect import answered, refused
from tests.kit.models import CHAT
from tests.kit.script import Script
from tests.kit.server import Server
from tests.kit.upstream import Upstream
from tests.supervisor.kit import root

MODULE = "xinghe.safety.worker"


@contextmanager
def dying(server: Server) -> Iterator[None]:
    """Every process that looks through texts is killed as soon as it is there."""
    top, over = root(server), threading.Event()

    def kill() -> None:
        while not over.wait(0.02):
            for process in top.children(recursive=True):
                try:
                    if MODULE in process.cmdline():
                        process.kill()
                except psutil.Error:
                    continue

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        over.set()
        killer.join()


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_nothing_passes_that_was_not_looked_through(
    make_server: MakeServer, upstream: Upstream, *, stream: bool
) -> None:
    server = make_server()
    api, books = Api(server.url, server.token()), Books(server)
    script = Script(["好"])
    # What is before the question counts as well as the question.
    (asked,) = script.messages
    messages = [
        {"role": "user", "content": "春眠不觉晓，" * 300},
        {"role": "assistant", "content": "好"},
        asked,
    ]
    with dying(server):
        reply = api.chat(model=CHAT, messages=messages, stream=stream)
    refused(reply, 500, "Internal_error", "internal_error", "Internal error")
    assert upstream.attempts(script) == []
    books.free(reply.headers["x-request-id"])
    log = server.log.read_text("utf-8")
    assert "worker_failed" in log
    assert "Traceback" not in log
    answered(api.chat(model=CHAT, messages=messages))
    assert len(upstream.attempts(script)) == 1
