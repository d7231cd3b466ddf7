"""Where requests begin and end on a connection: nothing of one is taken for another's."""

from __future__ import annotations

import socket
import time
from contextlib import suppress

import pytest

from tests.conftest import MakeServer
from tests.edge.conftest import answers_at_once, body, exchange, head
from tests.kit.api import STRICT, Api
from tests.kit.expect import answered, malformed, refused
from tests.kit.models import CHAT
from tests.kit.raw import Connection
from tests.kit.script import Script
from tests.kit.sse import stream_of
from tests.supervisor.kit import GATEWAY, child

BODY = body()
LENGTH = f"Content-Length: {len(BODY)}"
CHUNKED = "Transfer-Encoding: chunked"
UNCERTIFIED = (401, "invalid_request_error", "invalid_iam_token")
OFFER = ("Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAEAAEAA", "Upgrade: h2c")


def chunks(data: bytes, *trailers: str) -> bytes:
    """A body in two chunks, and what stands behind it."""
    cut = len(data) // 2
    parts = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (data[:cut], data[cut:]))
    return parts + "\r\n".join(["0", *trailers, "", ""]).encode()


def flood(api: Api, data: bytes, piece: bytes, most: int) -> tuple[int, bytes]:
    """Send a piece over and over until it is refused; how many bytes of them, and the answer."""
    with Connection(api.url, timeout=20) as connection:
        connection.send(data)
        connection.socket.setblocking(False)
        sent, answer = 0, b""
        end = time.monotonic() + 20
        while sent < most and not answer and time.monotonic() < end:
            with suppress(BlockingIOError):
                sent += connection.socket.send(piece)
            with suppress(BlockingIOError):
                answer = connection.socket.recv(65536)
        return sent, answer


@pytest.mark.parametrize("cut", [0, 3])
def test_a_trailer_is_no_header(api: Api, cut: int) -> None:
    # Without a token in the head; with the token in the head, and another one behind the body.
    trailer = f"Authorization: Bearer {api.token}"
    token = f"Authorization: Bearer {api.token}\r\n".encode()
    start = head(api, CHUNKED)
    for head_sent, wanted in ((start.replace(token, b""), 401), (start, 200)):
        data = head_sent + chunks(BODY, trailer, "Idempotency-Key: a b", "Expect: 100-continue")
        with Connection(api.url, timeout=20) as connection:
            connection.send(data[: len(data) - cut])
            connection.send(data[len(data) - cut :])
            assert connection.reply().status == wanted


def test_a_trailer_is_no_header_of_the_next_request(api: Api) -> None:
    first = head(api, CHUNKED) + chunks(BODY, f"Authorization: Bearer {api.token}", "appid: x")
    with Connection(api.url, timeout=20) as connection:
        connection.send(first + b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
        answered(connection.reply())
        refused(connection.reply(), *UNCERTIFIED)


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        ["a", "a"],
        ["a", "b"],
        ["a", ""],
        ["a, b"],
        ["a b"],
        ["a/b"],
        ["user@a"],
        ["a:b"],
        ["a:1:2"],
        ["[::1"],
        ["\xe4"],
        ["\xa0a"],
        ["a\tb"],
        ['a"'],
        ["<a>"],
    ],
)
def test_host(api: Api, hosts: list[str]) -> None:
    lines = ["GET /v1/models HTTP/1.1", f"Authorization: Bearer {api.token}"]
    lines += [f"Host: {host}" for host in hosts]
    data = "\r\n".join([*lines, "", ""]).encode("latin-1")
    malformed(exchange(api, data), "Host", "allowed")
    malformed(exchange(api, data.replace(b"HTTP/1.1", b"HTTP/1.0")), "Host") if hosts else None


@pytest.mark.parametrize("host", ["", "a", "A.b-c_d:80", "127.0.0.1:", "[::1]:8000", " a\t"])
def test_host_of_any_form(api: Api, host: str) -> None:
    data = head(api, method="GET", path="/v1/models").replace(b"Host: x", b"Host:" + host.encode())
    assert exchange(api, data).status == 200


@pytest.mark.parametrize("version", ["0.9", "1.2", "2.0", "3.0"])
def test_other_versions(api: Api, version: str) -> None:
    data = head(api, method="GET", path="/v1/models")
    malformed(exchange(api, data.replace(b"HTTP/1.1", b"HTTP/" + version.encode())))


@pytest.mark.parametrize("kind", ["h2c", "websocket"])
@pytest.mark.parametrize("chunked", [True, False])
def test_an_offer_of_another_protocol_wherever_it_is_cut(
    api: Api, kind: str, chunked: bool
) -> None:
    offer = [line.replace("h2c", kind) for line in OFFER]
    start = head(api, *offer, CHUNKED if chunked else LENGTH)
    data = start + (chunks(BODY) if chunked else BODY)
    with Connection(api.url, timeout=20) as connection:
        for cut in (20, len(start) - 10, len(start) - 2, len(start), len(start) + 5, len(data) - 1):
            connection.send(data[:cut])
            time.sleep(0.05)  # so that they are read apart
            connection.send(data[cut:])
            answered(connection.reply())


def test_an_offer_of_another_protocol_in_a_pipeline(api: Api) -> None:
    plain = head(api, LENGTH) + BODY
    offered = head(api, *OFFER, LENGTH) + BODY
    read = head(api, *OFFER, method="GET", path="/v1/models")
    last = head(api, "Connection: Upgrade, close", "Upgrade: h2c", LENGTH) + BODY
    with Connection(api.url, timeout=20) as connection:
        connection.send(plain + offered + read + offered + plain + last)
        replies = [connection.reply() for _ in range(6)]
        assert [reply.status for reply in replies] == [200] * 6
        assert len({reply.headers["x-request-id"] for reply in replies}) == 6
        assert connection.socket.recv(1) == b""


def test_http_1_0_stream_ends_with_the_connection(api: Api) -> None:
    data = body(messages=Script(["一", "二", "三"]).messages, stream=True)
    request = head(api, f"Content-Length: {len(data)}", "Connection: keep-alive") + data
    with Connection(api.url, timeout=20) as connection:
        connection.send(request.replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        reply = connection.reply()
        assert "transfer-encoding" not in reply.headers
        assert reply.headers["connection"] == "close"
        stream = stream_of(reply)
        assert (stream.content, stream.done) == ("一二三", True)


def test_http_1_0_is_not_told_to_go_on(api: Api) -> None:
    request = head(api, "Expect: 100-continue", LENGTH) + BODY
    with Connection(api.url, timeout=20) as connection:
        connection.send(request.replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        assert connection.socket.recv(12, 0x2) == b"HTTP/1.1 200"


def test_rubbish_behind_a_running_stream_waits_for_its_end(api: Api) -> None:
    data = body(messages=Script(["字"] * 10, rate=20).messages, stream=True)
    with Connection(api.url, timeout=20) as connection:
        connection.send(head(api, f"Content-Length: {len(data)}") + data)
        status, headers = connection.head()
        assert status == 200
        connection.send(b"\x00rubbish\r\n\r\n")
        text = b"".join(connection.pieces(headers)).decode()
        assert text.count("字") == 10
        assert text.endswith("data: [DONE]\n\n")
        refused(connection.reply(), 400, "invalid_request_error", "malformed_json")


@pytest.mark.parametrize("start", [b"0\r\nX: ", b"0\r\n", b"1;a="])
def test_what_stands_beside_a_body_is_bounded(api: Api, start: bytes) -> None:
    piece = b"a" * 4096 if start != b"0\r\n" else b"X: " + b"a" * 4091 + b"\r\n"
    sent, answer = flood(api, head(api, CHUNKED) + start, piece, 64 * 1024 * 1024)
    assert answer.startswith(b"HTTP/1.1 413 "), answer
    assert sent < 16 * 1024 * 1024
    answers_at_once(api)


def test_pipelined_requests_are_all_answered(api: Api) -> None:
    asked = 1000
    requests = b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(asked))
    with Connection(api.url, timeout=60) as connection:
        connection.send(requests)
        for number in range(asked):
            reply = connection.reply()
            assert reply.status == 404
            assert f"'/{number}'" in reply.json["error"]["message"]


def test_pipelined_requests_whose_answers_nobody_reads(make_server: MakeServer) -> None:
    server = make_server(settings={"XINGHE_SERVER__STALL_TIMEOUT": "1"})
    api = Api(server.url, server.token(), STRICT)
    gateway = child(server, GATEWAY)
    answers_at_once(api)
    before = gateway.memory_info().rss
    # Short ones, of which one read brings thousands, with long answers.
    waiting = [b"GET /openapi.json HTTP/1.1\r\nHost:x\r\n\r\n" * 20_000] * 6
    highest = before
    connections = [Connection(api.url, timeout=20) for _ in waiting]
    try:
        for connection in connections:
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.socket.setblocking(False)
        end = time.monotonic() + 60
        open_ones = list(range(len(connections)))
        while open_ones:
            assert time.monotonic() < end, "a client that reads nothing was not cut off"
            for at in list(open_ones):
                try:
                    sent = connections[at].socket.send(waiting[at][: 1024 * 1024])
                    waiting[at] = waiting[at][sent:]
                except BlockingIOError:
                    pass
                except ConnectionError:
                    open_ones.remove(at)
            highest = max(highest, gateway.memory_info().rss)
            time.sleep(0.01)
    finally:
        for connection in connections:
            connection.socket.close()
    assert highest - before < 25 * 1024 * 1024
    answers_at_once(api)


def test_no_answer_is_to_be_stored(api: Api) -> None:
    stream = body(messages=Script().messages, stream=True)
    for data in (
        head(api, LENGTH) + BODY,
        head(api, f"Content-Length: {len(stream)}") + stream,
        head(api, method="GET", path="/v1/models"),
        head(api.bearing("wrong"), method="GET", path="/v1/models"),
        head(api, method="OPTIONS"),
        head(api, method="DELETE"),
        head(api, method="GET", path="/nowhere"),
        head(api, method="GET", path="/healthz"),
        head(api, method="GET", path="/openapi.json"),
        head(api, method="GET", path="/images/" + "a" * 43 + ".png"),
        b"rubbish\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\n\r\n",
    ):
        with Connection(api.url, timeout=20) as connection:
            connection.send(data)
            assert connection.head()[1]["cache-control"] == "no-store"
    assert api.chat(model=CHAT, temperature=9).headers["cache-control"] == "no-store"
