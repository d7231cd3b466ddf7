"""Who is refused before the whole body was read still gets to know why."""

from __future__ import annotations

import time

import pytest

from tests.edge.conftest import answers_at_once, head
from tests.kit.api import DOCUMENTED, Api
from tests.kit.pace import allowed
from tests.kit.raw import Connection

MEGABYTES = 24_000_000
TOO_MUCH = 64 * 1024 * 1024 + 1

REFUSED = {
    "a wrong token": (401, "invalid_iam_token", f"{DOCUMENTED}/chat/completions", MEGABYTES),
    "a wrong path": (404, "no_such_path", f"{DOCUMENTED}/completions", MEGABYTES),
    "too large": (413, "request_too_large", f"{DOCUMENTED}/chat/completions", TOO_MUCH),
}


@pytest.mark.parametrize("why", REFUSED)
def test_the_answer_arrives(api: Api, why: str) -> None:
    status, code, path, size = REFUSED[why]
    asks = api.bearing("no-such-token") if why == "a wrong token" else api
    for _ in range(3):
        with Connection(api.url, timeout=120) as connection:
            connection.send(head(asks, f"Content-Length: {size}", path=path))
            connection.send(b" " * size)
            reply = connection.reply()
            assert reply.status == status
            assert reply.json["error"]["code"] == code
            assert reply.headers["connection"] == "close"
    answers_at_once(api)


def test_it_arrives_at_once(api: Api) -> None:
    """The body is not waited for, and whoever sends none keeps no connection."""
    with Connection(api.url, timeout=120) as connection:
        began = time.monotonic()
        connection.send(head(api, f"Content-Length: {TOO_MUCH}"))
        assert connection.reply().status == 413
        assert time.monotonic() - began < allowed(1)
        assert connection.socket.recv(1) == b""
        assert time.monotonic() - began < allowed(5)


def test_who_awaits_leave_to_send_is_refused_instead(api: Api) -> None:
    with Connection(api.url, timeout=120) as connection:
        began = time.monotonic()
        connection.send(head(api, f"Content-Length: {TOO_MUCH}", "Expect: 100-continue"))
        assert connection.reply().status == 413
        assert connection.socket.recv(1) == b""
        assert time.monotonic() - began < allowed(1)
