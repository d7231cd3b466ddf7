"""What the hostile upstream does wrong, by name: on the wire, in any JSON, in a chat's events."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, TypeAlias

from tests.attack.shot import KEY
from tests.kit.script import SECRET

MB = 1024 * 1024
EVER = 600.0
"""Seconds: longer than anybody should wait."""
OK = b"HTTP/1.1 200 OK\r\n"
STREAM = OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
JSON = OK + b"Content-Type: application/json\r\n"


class End(Enum):
    """How a connection ends before its time."""

    CLOSE = "close"
    RESET = "reset"


Step: TypeAlias = bytes | float | End
"""Bytes to write, seconds to wait, or an end."""


@dataclass(frozen=True)
class Place:
    """What was asked: its path, whether as a stream, and the right answer to it."""

    path: str
    stream: bool
    right: bytes
    url: str
    """Of the upstream itself."""


Fault: TypeAlias = Callable[[Place], Iterator[Step]]


def sized(body: bytes, head: bytes = JSON) -> bytes:
    return head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(delta: dict[str, Any] | None = None, **more: Any) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": None}] if delta is not None else []
    return b"data: " + json.dumps({"choices": choices, **more}).encode() + b"\n\n"


def answer(place: Place) -> Iterator[Step]:
    """Nothing wrong at all."""
    if not place.stream:
        yield sized(place.right)
        return
    yield STREAM + chunk(place.right)
    yield chunk(b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n')
    yield chunk(event(usage={"prompt_tokens": 10, "completion_tokens": 3}))
    yield chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def _wire(*steps: Step) -> Fault:
    return lambda _: iter(steps)


def _half(*then: Step) -> Fault:
    """The right answer up to its middle, in chunks, and then something else."""

    def fault(place: Place) -> Iterator[Step]:
        half = place.right[: len(place.right) // 2]
        yield (STREAM if place.stream else JSON + b"Transfer-Encoding: chunked\r\n\r\n")
        yield chunk(place.right if place.stream else half)
        yield 0.2
        yield from then

    return fault


def _redirect(status: int) -> Fault:
    return lambda place: iter(
        [sized(b"", f"HTTP/1.1 {status} Go\r\nLocation: {place.url}/stolen\r\n".encode())]
    )


def _told(status: int) -> Fault:
    body = json.dumps({"error": {"message": SECRET + KEY, "type": SECRET, "code": SECRET}})
    return _wire(sized(body.encode(), f"HTTP/1.1 {status} {SECRET}\r\n".encode()))


@cache
def _bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(MB)) for _ in range(300)) + packer.flush()


def _many(one: bytes, times: int, gap: float = 0.0) -> Fault:
    """`one` event again and again, in a stream or as a body."""

    def fault(place: Place) -> Iterator[Step]:
        yield STREAM if place.stream else JSON + b"Transfer-Encoding: chunked\r\n\r\n"
        for _ in range(times):
            yield chunk(one)
            if gap:
                yield gap
        yield b"0\r\n\r\n"

    return fault


WIRE: dict[str, Fault] = {
    "big_head": _wire(OK + b"X-Big: " + b"x" * MB + b"\r\n\r\n", EVER),
    "many_headers": _wire(OK + b"".join(b"X-%d: y\r\n" % n for n in range(20_000)) + b"\r\n", EVER),
    "endless_head": lambda _: iter([OK, *[b"X-More: " + b"y" * 60_000 + b"\r\n"] * 500, EVER]),
    "bad_size_alone": _half(b"zzz\r\n", EVER),
    "bad_size_at_once": _wire(STREAM + b"zzz\r\nabc\r\n", EVER),
    "endless_size": _half(b"f" * 200_000, EVER),
    "negative_size": _half(b"-5\r\nabcde\r\n", EVER),
    "no_crlf": _half(b"5\r\nabcdeX", EVER),
    "huge_length": _wire(JSON + b"Content-Length: 1" + b"0" * 30 + b"\r\n\r\n{", EVER),
    "odd_length": _wire(JSON + b"Content-Length: -1\r\n\r\n{}", EVER),
    "both_lengths": _wire(
        JSON + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", EVER
    ),
    "two_answers": lambda place: iter([sized(place.right) * 2]),
    "redirect_301": _redirect(301),
    "redirect_307": _redirect(307),
    "redirect_308": _redirect(308),
    "redirect_loop": lambda place: iter(
        [sized(b"", f"HTTP/1.1 307 Go\r\nLocation: {place.path}\r\n".encode())]
    ),
    "reset_at_once": _wire(End.RESET),
    "reset_after_head": _wire(STREAM, 0.1, End.RESET),
    "reset_in_body": _half(End.RESET),
    "close_at_once": _wire(End.CLOSE),
    "close_after_head": _wire(STREAM, 0.1, End.CLOSE),
    "close_in_body": _half(End.CLOSE),
    "ends_in_body": _half(b"0\r\n\r\n"),
    "silence": _wire(EVER),
    "silence_after_head": _wire(STREAM, EVER),
    "silence_in_body": _half(EVER),
    "silence_in_size": _half(b"1", EVER),
    "continues_for_ever": lambda _: iter([b"HTTP/1.1 100 Continue\r\n\r\n"] * 20_000 + [EVER]),
    "switches": _wire(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", EVER),
    "nothing": _wire(b"HTTP/1.1 204 No\r\n\r\n"),
    "not_modified": _wire(b"HTTP/1.1 304 No\r\n\r\n"),
    "status_999": _wire(sized(b"{}", b"HTTP/1.1 999 What\r\n")),
    "told_400": _told(400),
    "told_401": _told(401),
    "told_429": _told(429),
    "told_500": _told(500),
    "no_http": _wire(b"\x00\x01\x02 " + SECRET.encode() + b"\r\n\r\n", EVER),
    "http2": _wire(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", EVER),
    "gzip_bomb": lambda _: iter([sized(_bomb(), JSON + b"Content-Encoding: gzip\r\n")]),
    "gzip_lie": lambda p: iter([sized(p.right, JSON + b"Content-Encoding: gzip\r\n")]),
    "odd_encoding": lambda p: iter([sized(p.right, JSON + b"Content-Encoding: rot13\r\n")]),
    "page": _wire(sized(f"<html>{SECRET}</html>".encode(), OK + b"Content-Type: text/html\r\n")),
    "huge_body": _many(b" " * MB, 200),
    "deep": _many(b"data: " + b"[" * 200_000 + b"\n\n", 1),
    "deep_objects": _many(b'data: {"choices":' + b'{"a":' * 200_000 + b"\n\n", 1),
    "big_number": _many(b'data: {"choices":[],"usage":' + b"9" * 500_000 + b"}\n\n", 1),
    "not_utf8": _many(b'data: {"choices":[{"delta":{"content":"\xff\xfe"}}]}\n\n', 3),
    "nulls": _many(b"\x00" * 1000, 100),
    "wrong_types": _many(b'data: {"choices":5,"data":"x","results":{},"usage":[]}\n\n', 2),
    "error_event": _many(b"data: " + json.dumps({"error": SECRET + KEY}).encode() + b"\n\n", 1),
}  # fmt: skip
"""For every place: chat, embeddings, images, moderation."""


def _usage(prompt: Any, completion: Any) -> Fault:
    told = event({"content": "好"}) + event(
        usage={"prompt_tokens": prompt, "completion_tokens": completion}
    )
    return _many(told + b"data: [DONE]\n\n", 1)


BIG = event({"content": "x" * (5 * MB)})
_NAMED = {"name": "\x00", "arguments": "{"}
_CALL = {"tool_calls": [{"index": 10**9, "id": SECRET, "function": _NAMED}]}
_CHOICES = {"choices": [{"delta": {"content": "a"}}] * 50_000}

CHAT: dict[str, Fault] = {
    "json": _many(event({"content": '{"n": 1}'}) + b"data: [DONE]\n\n", 1),
    "big_event": _many(BIG, 1),
    "big_line": _many(b"data: " + b"x" * MB, 40),
    "tiny_events": _many(event({"content": "a"}) * 500, 1000),
    "long_answer": _many(event({"content": "长" * 2000}), 1000),
    "empty_events": _many(event({"content": ""}) * 500, 600),
    "bare_lines": _many(b"\n\n" * 100_000, 20),
    "more_bare_lines": _many(b"\n\n" * 100_000, 400),
    "tiny_chunks": _many(b":", 200_000),
    "endless_events": _many(event({"content": "说"}), 10**9, 0.005),
    "endless_thought": _many(event({"reasoning_content": "想"}), 10**9, 0.005),
    "endless_comments": _many(b": still here\n\n", 10**9, 0.05),
    "tokens_1e30": _usage(10**30, 10**30),
    "tokens_2e63": _usage(2**63, 2**63 - 1),
    "tokens_1e12": _usage(10**12, 10**12),
    "tokens_negative": _usage(-5, -5),
    "tokens_odd": _usage("7", 1.5),
    "tokens_true": _usage(True, None),
    "calls_odd": _many(event(_CALL) + b"data: [DONE]\n\n", 1),
    "calls_many": _many(event({"tool_calls": [{"index": n} for n in range(20_000)]}), 3),
    "done_first": _many(b"data: [DONE]\n\n" + event({"content": "late"}), 2),
    "long_reason": _many(
        b'data: {"choices":[{"delta":{},"finish_reason":"' + b"r" * MB + b'"}]}\n\n', 1
    ),
    "many_choices": _many(b"data: " + json.dumps(_CHOICES).encode() + b"\n\n", 2),
}  # fmt: skip
"""For chat alone."""
