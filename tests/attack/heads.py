"""Request heads and framing that HTTP does not allow, or that are read in two ways."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from tests.attack.hosts import PLAIN
from tests.attack.shot import Aim, Allowed, Piece, Shot

PATH = b"/llm/lmapi/v3/chat/completions"
BODY = json.dumps({"model": PLAIN, "messages": [{"role": "user", "content": "你好"}]}).encode()
STREAMED = BODY[:-1] + b',"stream":true}'
HOST = b"Host: attacked\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
TOKEN = b"Authorization: Bearer $TOKEN\r\n"
UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"

Parts = Iterable[Piece]


def _post(*lines: bytes, body: bytes = BODY, version: bytes = b"1.1") -> bytes:
    """A request whose head holds these lines and the token."""
    return b"POST %s HTTP/%s\r\n" % (PATH, version) + b"".join(lines) + TOKEN + b"\r\n" + body


def _at_once(data: bytes) -> list[Piece]:
    return [data]


def _in_two(data: bytes, mark: bytes) -> list[Piece]:
    """Two writes, the second of which begins in the middle of `mark`."""
    at = data.index(mark) + len(mark) // 2
    return [data[:at], 0.3, data[at:]]


def _chunked(*chunks: bytes, more: bytes = b"") -> bytes:
    return _post(HOST, b"Transfer-Encoding: chunked\r\n", more, body=b"".join(chunks))


LAST = b"0\r\n\r\n"
WHOLE = b"%x\r\n%s\r\n" % (len(BODY), BODY)
GET = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
BAD: Allowed = ("400",)
OK: Allowed = ("200",)
BAD_OR_CLOSED: Allowed = ("400", "413", "408", "431", "closed", "reset")
EITHER: Allowed = (*OK, *BAD_OR_CLOSED)
LOST: Allowed = ("404", "405", "414", *BAD_OR_CLOSED)

HEADS: dict[str, tuple[Parts, Allowed]] = {
    "ordinary": ([_post(HOST, LENGTH)], OK),
    "no_host": ([_post(LENGTH)], BAD),
    "two_hosts": ([_post(HOST, b"Host: elsewhere\r\n", LENGTH)], BAD),
    "two_same_hosts": ([_post(HOST, HOST, LENGTH)], BAD),
    "host_of_two": ([_post(b"Host: a, b\r\n", LENGTH)], ("200", "400")),
    "h2c": ([_post(HOST, UPGRADE, LENGTH)], OK),
    "h2c_in_two": (_in_two(_post(HOST, UPGRADE, LENGTH), b"Upgrade: h2c"), OK),
    "h2c_cut_in_name": (_in_two(_post(HOST, UPGRADE, LENGTH), b"\r\nUpgrade"), OK),
    "h2c_body_later": ([_post(HOST, UPGRADE, LENGTH, body=b""), 0.3, BODY], OK),
    "h2c_second": ([GET + _post(HOST, UPGRADE, LENGTH)], OK),
    "websocket": (
        [_post(HOST, b"Connection: Upgrade\r\nUpgrade: websocket\r\n", LENGTH)],
        ("200", "400"),
    ),
    "http10": ([_post(HOST, LENGTH, version=b"1.0")], OK),
    "http10_stream": (
        [_post(HOST, b"Content-Length: %d\r\n" % len(STREAMED), body=STREAMED, version=b"1.0")],
        OK,
    ),
    "http10_no_host": ([_post(LENGTH, version=b"1.0")], OK),
    "http12": ([_post(HOST, LENGTH, version=b"1.2")], (*EITHER, "505")),
    "http9": ([b"GET /healthz\r\n\r\n"], EITHER),
    "http2": ([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], BAD_OR_CLOSED),
    "tls": ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)], BAD_OR_CLOSED),
    "head_1MB": ([_post(HOST, b"X-Big: " + b"x" * 1_000_000 + b"\r\n", LENGTH)], BAD_OR_CLOSED),
    "headers_20000": ([_post(HOST, b"X-Many: y\r\n" * 20_000, LENGTH)], BAD_OR_CLOSED),
    "path_1MB": (
        [b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"],
        LOST,
    ),
    "path_encoded": (
        [GET.replace(b"/healthz", b"/%2e%2e/%00/" + b"%ff" * 20_000)],
        LOST,
    ),
    "token_1MB": (
        [_post(HOST, b"Authorization: Bearer " + b"t" * 90_000 + b"\r\n", LENGTH)],
        ("401", *BAD_OR_CLOSED),
    ),
    "token_nbsp": ([_post(HOST, LENGTH).replace(b"$TOKEN", b"$TOKEN\xa0")], ("401",)),
    "token_twice": ([_post(HOST, LENGTH, TOKEN)], ("200", "400", "401")),
    "trailer": ([_chunked(WHOLE, b"0\r\nX-Late: a\r\n\r\n")], OK),
    "trailer_token": (
        [_chunked(WHOLE, b"0\r\n" + TOKEN + b"\r\n").replace(TOKEN + b"\r\n", b"\r\n", 1)],
        ("401", "400"),
    ),
    "trailers_many": (
        [_chunked(WHOLE, b"0\r\n" + b"X-T: a\r\n" * 20_000 + b"\r\n")],
        EITHER,
    ),
    "chunk_zzz": ([_chunked(b"zzz\r\n" + BODY)], BAD_OR_CLOSED),
    "chunk_zzz_later": ([_chunked(b"1\r\n{\r\n"), 0.3, b"zzz\r\n"], BAD_OR_CLOSED),
    "chunk_negative": ([_chunked(b"-1\r\n\r\n")], BAD_OR_CLOSED),
    "chunk_huge": ([_chunked(b"f" * 20 + b"\r\n{")], BAD_OR_CLOSED),
    "chunk_extension": (
        [_chunked(b"%x;a=" % len(BODY) + b"e" * 100_000 + WHOLE[WHOLE.index(b"\r") :], LAST)],
        EITHER,
    ),
    "cl_and_te": (
        [_post(HOST, LENGTH, b"Transfer-Encoding: chunked\r\n", body=WHOLE + b"0\r\n\r\n")],
        EITHER,
    ),
    "two_lengths": ([_post(HOST, LENGTH, b"Content-Length: 5\r\n")], BAD_OR_CLOSED),
    "length_negative": ([_post(HOST, b"Content-Length: -1\r\n")], BAD_OR_CLOSED),
    "length_plus": ([_post(HOST, b"Content-Length: +%d\r\n" % len(BODY))], BAD_OR_CLOSED),
    "length_huge": ([_post(HOST, b"Content-Length: 1" + b"0" * 30 + b"\r\n")], BAD_OR_CLOSED),
    "te_unknown": ([_post(HOST, b"Transfer-Encoding: gzip\r\n", LENGTH)], (*BAD_OR_CLOSED, "501")),
    "nul_in_header": ([_post(HOST, b"X-N: a\x00b\r\n", LENGTH)], BAD_OR_CLOSED),
    "nul_in_path": ([GET.replace(b"healthz", b"heal\x00thz")], BAD_OR_CLOSED),
    "bare_lf": ([GET.replace(b"\r\n", b"\n")], EITHER),
    "bare_cr": ([GET.replace(HOST, HOST + b"X-C: a\rb\r\n")], BAD_OR_CLOSED),
    "folded": ([GET.replace(HOST, HOST + b"X-F: a\r\n b\r\n")], EITHER),
    "space_before_colon": ([GET.replace(HOST, b"Host : a\r\n")], BAD_OR_CLOSED),
    "long_method": ([b"M" * 100_000 + b" / HTTP/1.1\r\n" + HOST + b"\r\n"], BAD_OR_CLOSED),
    "expect": ([_post(HOST, b"Expect: 100-continue\r\n", LENGTH, body=b""), 0.3, BODY], OK),
    "expect_odd": ([_post(HOST, b"Expect: a-miracle\r\n", LENGTH)], ("200", "417", "400")),
    "absolute": ([GET.replace(b"/healthz", b"http://elsewhere/healthz")], (*EITHER, "404")),
    "connect": ([b"CONNECT elsewhere:443 HTTP/1.1\r\n" + HOST + b"\r\n"], LOST),
    "trace": ([GET.replace(b"GET", b"TRACE")], LOST),
    "lines_first": ([b"\r\n" * 1000 + GET], EITHER),
}  # fmt: skip


def _with_token(parts: Parts) -> Callable[[Aim, str], Parts]:
    def pieces(_: Aim, token: str) -> Parts:
        for part in parts:
            yield part.replace(b"$TOKEN", token.encode()) if isinstance(part, bytes) else part

    return pieces


SHOTS = [
    Shot(name, _with_token(parts), allowed, 3, within=15)
    for name, (parts, allowed) in HEADS.items()
]
