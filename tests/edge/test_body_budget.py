"""Bodies and fetched pictures of all requests have a budget: what does not fit is refused."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from tests.conftest import QUICK
from tests.edge.conftest import head
from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.expect import answered, refused
from tests.kit.files import ENDLESS, Files, files
from tests.kit.models import ALL_SCRIPTED, CHAT, VISION, models_toml
from tests.kit.pace import allowed
from tests.kit.raw import Connection
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from tests.pictures.render import encoded
from xinghe.api.body import WAIT_SECONDS

FULL = (429, "rate_limit_exceeded", "cluster_rate_limit_exceeded")
BUDGET = 1_000_000
LARGE = 700_000
SETTINGS = QUICK | {
    "XINGHE_SERVER__MAX_BODIES_BYTES": str(BUDGET),
    "XINGHE_SERVER__BODY_TIMEOUT": "20",
}


HOST = "pictures.example"
PICTURE = encoded(Image.new("RGB", (400, 250)), "BMP")
"""300 kB."""


@pytest.fixture(scope="module")
def shelf() -> Iterator[Files]:
    with files() as running:
        running.held["/picture"] = PICTURE
        yield running


@pytest.fixture(scope="module")
def server(
    shelf: Files, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    data = tmp_path_factory.mktemp("budget")
    hosts = f'[fetching.hosts]\n"{HOST}" = "127.0.0.1:{shelf.port}"\n'
    (data / "xinghe.toml").write_text(hosts, "utf-8")
    with Server(data, models=models, settings=SETTINGS) as running:
        yield running
        Books(running).settled()


@pytest.fixture(scope="module")
def api(server: Server) -> Api:
    return Api(server.url, server.token())


def large(script: Script) -> bytes:
    """A right request of `LARGE` bytes: an unknown field is ignored."""
    body = {"model": CHAT, "messages": script.messages, "padding": ""}
    body["padding"] = "x" * (LARGE - len(json.dumps(body).encode()))
    return json.dumps(body).encode()


def half_sent(api: Api, connection: Connection) -> bytes:
    """Sends all but the last byte of a large body, and gives that."""
    data = large(Script())
    connection.send(head(api, f"Content-Length: {len(data)}") + data[:-1])
    time.sleep(0.5)
    return data[-1:]


def test_beyond_the_budget_a_request_is_refused_and_says_when_to_come_again(api: Api) -> None:
    with Connection(api.url, timeout=120) as first:
        rest = half_sent(api, first)
        began = time.monotonic()
        reply = api.send("POST", "/chat/completions", large(Script()))
        refused(reply, *FULL, "bodies")
        assert WAIT_SECONDS - 0.2 < time.monotonic() - began < allowed(WAIT_SECONDS + 4)
        assert int(reply.headers["retry-after"]) == WAIT_SECONDS
        assert reply.headers["connection"] == "close"
        # Small ones fit beside it.
        answered(api.chat(model=CHAT))
        first.send(rest)
        answered(first.reply())
    answered(api.send("POST", "/chat/completions", large(Script())))


def test_room_that_comes_in_time_is_taken(api: Api) -> None:
    with Connection(api.url, timeout=120) as first:
        rest = half_sent(api, first)
        timer = threading.Timer(WAIT_SECONDS / 4, first.send, [rest])
        timer.start()
        answered(api.send("POST", "/chat/completions", large(Script())))
        timer.join()
        answered(first.reply())


def test_who_leaves_midway_gives_back_the_room(api: Api) -> None:
    for _ in range(3):
        with Connection(api.url, timeout=120) as first:
            half_sent(api, first)
    answered(api.send("POST", "/chat/completions", large(Script())))


def test_a_body_counts_until_its_answer_is_out(api: Api) -> None:
    slow = Script(delay=8)
    with Connection(api.url, timeout=120) as first:
        data = large(slow)
        first.send(head(api, f"Content-Length: {len(data)}") + data)
        time.sleep(0.5)
        refused(api.send("POST", "/chat/completions", large(Script())), *FULL)
        answered(first.reply())
    answered(api.send("POST", "/chat/completions", large(Script())))


def test_an_announcement_takes_no_room(api: Api) -> None:
    with Connection(api.url, timeout=120) as first, Connection(api.url, timeout=120) as second:
        for connection in (first, second):
            connection.send(head(api, "Content-Length: 1000000") + b"{")
        answered(api.send("POST", "/chat/completions", large(Script())))


def test_refusals_of_every_kind_give_back_their_room(api: Api) -> None:
    for _ in range(5):
        for body in (b"{" * LARGE, b"x" * LARGE, b" " * 2_000_000):
            assert api.send("POST", "/chat/completions", body).status in (400, 413)
        keyed = {**api.headers, "Idempotency-Key": "k"}
        assert api.send("POST", "/chat/completions", b"x" * LARGE, keyed).status == 400
    answered(api.send("POST", "/chat/completions", large(Script())))


def showing(*paths: str) -> list[dict[str, Any]]:
    parts = [{"type": "image_url", "image_url": {"url": f"http://{HOST}{path}"}} for path in paths]
    return [{"role": "user", "content": parts}]


def test_fetched_pictures_count_too(api: Api) -> None:
    """A small body that names many large pictures is a large request."""
    answered(api.chat(model=VISION, messages=showing(*["/picture"] * 3)))
    refused(api.chat(model=VISION, messages=showing(*["/picture"] * 4)), *FULL, "pictures")
    answered(api.chat(model=VISION, messages=showing(*["/picture"] * 3)))


def test_a_disconnect_ends_the_fetching(api: Api, shelf: Files) -> None:
    body = json.dumps({"model": VISION, "messages": showing(ENDLESS)}).encode()
    with Connection(api.url) as connection:
        connection.request("POST", f"{api.mount}/chat/completions", body, api.headers)
        assert shelf.asked.wait(5)
    assert shelf.left.wait(3)
