"""Bodies that are too large or too slow. The shared server's limits are 1 MiB and 1.5 s."""

from __future__ import annotations

import json
import time

import pytest

from tests.kit.api import DOCUMENTED, Api
from tests.kit.expect import answered, refused
from tests.kit.models import CHAT
from tests.kit.pace import allowed
from tests.kit.raw import Connection

PATH = f"{DOCUMENTED}/chat/completions"
LIMIT = 1024 * 1024


def head(api: Api, connection: Connection, *more: str) -> bytes:
    lines = [f"POST {PATH} HTTP/1.1", f"Host: {connection.authority}"]
    lines += [f"{name}: {value}" for name, value in api.headers.items()]
    return "\r\n".join([*lines, *more, "", ""]).encode()


def test_announced_too_large(api: Api) -> None:
    # Refused by its announcement: the body itself need not come.
    with Connection(api.url, timeout=120) as connection:
        connection.send(head(api, connection, f"Content-Length: {LIMIT + 1}"))
        refused(connection.reply(), 413, "invalid_request_error", "request_too_large", LIMIT)


def test_too_large_without_an_announcement(api: Api) -> None:
    with Connection(api.url, timeout=120) as connection:
        connection.send(head(api, connection, "Transfer-Encoding: chunked"))
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        for _ in range(17):
            try:
                connection.send(chunk)
            except (BrokenPipeError, ConnectionResetError):
                break
        refused(connection.reply(), 413, "invalid_request_error", "request_too_large")


def test_chunked_body_is_taken(api: Api) -> None:
    body = json.dumps({"model": CHAT, "messages": [{"role": "user", "content": "你好"}]}).encode()
    with Connection(api.url) as connection:
        connection.send(head(api, connection, "Transfer-Encoding: chunked"))
        for i in range(0, len(body), 7):
            part = body[i : i + 7]
            connection.send(b"%x\r\n%s\r\n" % (len(part), part))
        connection.send(b"0\r\n\r\n")
        answered(connection.reply())


@pytest.mark.parametrize("sent", [b"", b'{"model": '])
def test_too_slow(api: Api, sent: bytes) -> None:
    with Connection(api.url, timeout=120) as connection:
        start = time.monotonic()
        connection.send(head(api, connection, "Content-Length: 100") + sent)
        refused(connection.reply(), 408, "invalid_request_error", "request_timeout")
        assert 1 < time.monotonic() - start < allowed(5)


def test_client_that_leaves_within_its_body(api: Api) -> None:
    with Connection(api.url) as connection:
        connection.send(head(api, connection, "Content-Length: 100") + b'{"model"')
    answered(api.chat(model=CHAT))


def test_connection_is_kept_for_the_next_request(api: Api) -> None:
    body = json.dumps({"model": CHAT, "messages": [{"role": "user", "content": "你好"}]}).encode()
    with Connection(api.url) as connection:
        ids = set()
        for _ in range(3):
            connection.request("POST", PATH, body, api.headers)
            ids.add(answered(connection.reply())["id"])
        assert len(ids) == 3


def test_answer_to_a_body_of_exactly_the_limit(api: Api) -> None:
    body = json.dumps({"model": CHAT, "messages": [{"role": "user", "content": "你好"}]}).encode()
    reply = api.send("POST", "/chat/completions", body + b" " * (LIMIT - len(body)))
    answered(reply)
