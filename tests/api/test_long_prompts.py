"""Nobody waits until another account's long prompt has been read."""

from __future__ import annotations

import json

import pytest

from tests.kit.api import Api
from tests.kit.books import Books, started
from tests.kit.raw import Connection
from tests.kit.server import Server

pytestmark = pytest.mark.embedded

MODEL = "ernie-4.5-turbo-32k"
LONG = [{"role": "user", "content": " ".join(f"w{number}" for number in range(2500))}]


@pytest.fixture(scope="module")
def other(server: Server, api: Api) -> Api:
    server.run("member", "create", "beside-long")
    return api.bearing(server.token(account="beside-long"))


def test_others_are_answered_while_a_long_prompt_is_read(api: Api, other: Api) -> None:
    body = json.dumps({"model": MODEL, "messages": LONG, "stream": True}).encode()
    with Connection(api.url) as connection:
        connection.request("POST", f"{api.mount}/chat/completions", body, api.headers)
        status, headers = connection.head()
        assert status == 200
        assert next(connection.pieces(headers)).startswith(b":"), "it is at work"
        for _ in range(2):
            assert other.chat(model=MODEL, max_completion_tokens=3).status == 200
        connection.socket.settimeout(30)
        came = connection.socket.recv(1 << 20)
        assert b":" in came, "the stream is kept alive"
        assert b"data:" not in came, "its answer came first"
    again = api.chat(model=MODEL, max_completion_tokens=3)
    assert again.status == 200, "who left is in nobody's way"


def test_who_leaves_while_its_prompt_is_read_owes_it(server: Server, other: Api) -> None:
    books = Books(server, "beside-long")
    body = json.dumps({"model": MODEL, "messages": LONG, "stream": True}).encode()
    with Connection(other.url) as connection:
        connection.request("POST", f"{other.mount}/chat/completions", body, other.headers)
        status, headers = connection.head()
        assert status == 200
        for piece in connection.pieces(headers):
            assert piece.startswith(b":"), "it is being read"
            if headers["x-request-id"] in started(server.data):
                break
    entry = books.usage(headers["x-request-id"])
    assert entry["prompt_tokens"] > 2500
    assert entry["completion_tokens"] == 0
    books.settled()
