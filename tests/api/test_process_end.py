"""The end of the service: told to stop, or killed; nothing is left behind, nothing is lost."""

from __future__ import annotations

import threading
import time

import pytest

from tests.conftest import MakeServer
from tests.kit.api import Api
from tests.kit.books import Books, noted
from tests.kit.expect import answered, refused
from tests.kit.models import CHAT
from tests.kit.raw import Reply
from tests.kit.script import Script
from tests.kit.server import Server
from tests.kit.sse import Stream
from tests.kit.upstream import Upstream


def test_asked_to_stop_it_ends_running_answers_first(make_server: MakeServer) -> None:
    server = make_server()
    api = Api(server.url, server.token())
    script = Script(pieces=["字"] * 20, rate=10)
    got: list[Stream] = []
    with api.streaming(model=CHAT, messages=script.messages) as (stream, live):
        stream.take(next(live))
        stopping: list[int] = []
        thread = threading.Thread(target=lambda: stopping.append(server.stop()))
        thread.start()
        for event in live:
            stream.take(event)
        got.append(stream)
        thread.join(120)
    assert stopping == [0]
    assert got[0].content == script.text
    assert got[0].done
    Books(server).settled()


def test_whole_answer_cut_off_by_the_end_of_the_grace_is_free(
    make_server: MakeServer, upstream: Upstream
) -> None:
    server = make_server(settings={"XINGHE_SERVER__GRACE": "1"})
    api = Api(server.url, server.token())
    script = Script(pieces=["字"] * 300, rate=10)
    got: list[Reply] = []
    asking = threading.Thread(
        target=lambda: got.append(api.chat(model=CHAT, messages=script.messages))
    )
    asking.start()
    end = time.monotonic() + 60
    while not upstream.attempts(script):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert server.stop() == 0
    asking.join(60)
    refused(got[0], 500, "Internal_error", "internal_error", "Internal error")
    books = Books(server)
    books.settled()
    assert "usage" not in server.run("ledger", "entries", "--json")


def test_killed_midstream_the_prompt_and_the_last_checkpoint_are_charged(
    make_server: MakeServer, upstream: Upstream
) -> None:
    server = make_server()
    api = Api(server.url, server.token())
    script = Script(pieces=["字"] * 2000, rate=10)
    with api.streaming(model=CHAT, messages=script.messages) as (stream, live):
        for event in live:
            stream.take(event)
            if len(stream.content) == 25:
                break
        request, end = stream.headers["x-request-id"], time.monotonic() + 60
        while noted(server.data)[request] < 5:
            assert time.monotonic() < end
            time.sleep(0.02)
        server.kill()
    server.start()
    books = Books(server)
    entry = books.usage(stream.headers["x-request-id"])
    assert entry["prompt_tokens"] > 0
    assert 5 <= entry["completion_tokens"] <= upstream.received(script).sent
    books.settled()
    answered(Api(server.url, api.token).chat(model=CHAT, messages=Script().messages))


@pytest.mark.embedded
def test_killed_with_an_engine_it_leaves_no_orphan(
    make_server: MakeServer, small_weights: str
) -> None:
    server = make_server(embedded=small_weights)
    api = Api(server.url, server.token())
    answered(api.chat(model="ernie-speed-8k", max_tokens=2))
    server.kill()


def test_port_taken_is_one_clear_line(server: Server) -> None:
    port = server.url.rsplit(":", 1)[1]
    with pytest.raises(AssertionError, match="serve") as failed:
        server.run("serve", "--host", "127.0.0.1", "--port", port)
    assert port in str(failed.value)
    assert "Traceback" not in str(failed.value)
