"""What is hardly HTTP, or HTTP at its limits: a JSON answer, and the next request is served."""

from __future__ import annotations

import pytest

from tests.edge.conftest import CHAT_PATH, answers_at_once, body, exchange, head
from tests.kit.api import Api
from tests.kit.expect import answered, refused
from tests.kit.raw import Connection

MALFORMED = (400, "invalid_request_error", "malformed_json")
BODY = body()
LENGTH = f"Content-Length: {len(BODY)}"


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\nrubbish\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"BREW /v1/models HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/models HTTP/9\r\nHost: x\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nX: a\x00b\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nX : a\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
        b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_not_http(api: Api, data: bytes) -> None:
    refused(exchange(api, data), *MALFORMED, "Invalid HTTP request")
    answers_at_once(api)


def test_chunk_without_a_size(api: Api) -> None:
    reply = exchange(api, head(api, "Transfer-Encoding: chunked") + b"zz\r\n")
    refused(reply, *MALFORMED)


def test_head_without_end(api: Api) -> None:
    line = b"X-Padding: " + b"a" * 8000 + b"\r\n"
    reply = exchange(api, head(api).removesuffix(b"\r\n") + line * 1000)
    refused(reply, 413, "invalid_request_error", "request_too_large", "head")
    answers_at_once(api)


@pytest.mark.parametrize("header", ["X-Large: " + "a" * 60_000, "\r\n".join(["X-Many: a"] * 2000)])
def test_large_head_is_taken(api: Api, header: str) -> None:
    answered(exchange(api, head(api, header, LENGTH) + BODY))


def test_two_requests_in_one_write(api: Api) -> None:
    request = head(api, LENGTH) + BODY
    with Connection(api.url) as connection:
        connection.send(request + request)
        assert answered(connection.reply())["id"] != answered(connection.reply())["id"]


def test_a_refused_request_before_a_good_one(api: Api) -> None:
    wrong = body(temperature=7)
    with Connection(api.url) as connection:
        connection.send(head(api, f"Content-Length: {len(wrong)}") + wrong)
        connection.send(head(api, LENGTH) + BODY)
        refused(connection.reply(), *MALFORMED, param="temperature")
        answered(connection.reply())


def test_expect_100_continue(api: Api) -> None:
    with Connection(api.url, timeout=120) as connection:
        connection.send(head(api, "Expect: 100-continue", LENGTH))
        # The body is sent only when it was asked for.
        assert connection.socket.recv(25, 0x2).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.send(BODY)
        answered(connection.reply())


def test_expect_100_continue_of_a_stranger(api: Api) -> None:
    with Connection(api.url, timeout=120) as connection:
        connection.send(head(api.bearing("wrong"), "Expect: 100-continue", LENGTH))
        assert connection.reply().status == 401


@pytest.mark.parametrize("cut", [0, 40])
def test_offer_of_another_protocol_is_passed_over(api: Api, cut: int) -> None:
    # Java's own client sends this with every request to an http:// address.
    offer = ("Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAEAAEAA", "Upgrade: h2c")
    with Connection(api.url, timeout=120) as connection:
        for _ in range(2):
            connection.send(head(api, *offer, LENGTH) + BODY[:cut])
            connection.send(BODY[cut:])
            answered(connection.reply())


def test_http_1_0_is_closed_after_its_answer(api: Api) -> None:
    request = (head(api, LENGTH) + BODY).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    with Connection(api.url, timeout=120) as connection:
        connection.send(request)
        answered(connection.reply())
        assert connection.socket.recv(1) == b""


@pytest.mark.parametrize(
    "kind", [None, "", "text/plain", "multipart/form-data", "application/xml", "x" * 500]
)
def test_content_type_does_not_matter(api: Api, kind: str | None) -> None:
    lines = [] if kind is None else [f"Content-Type: {kind}"]
    answered(exchange(api, head(api, *lines, LENGTH) + BODY))


def test_path_of_the_alias_with_a_query(api: Api) -> None:
    answered(exchange(api, head(api, LENGTH, path=f"{CHAT_PATH}?api-version=1&x=%00") + BODY))
