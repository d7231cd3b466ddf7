"""Clients that read slowly, ask without reading, or leave (issue's A5)."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.attack.hosts import ABLE, EMBEDDED, LOCAL_VECTORS, PLAIN
from tests.attack.shot import Aim, Piece, Shot, asked, head, posted

CHAT = "/chat/completions"


def _body(order: str, model: str = PLAIN, **more: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": order}], **more}


def _pipelined(path: str, method: str, body: bytes, times: int) -> Shot:
    def pieces(_: Aim, token: str) -> Iterator[Piece]:
        length = [f"Content-Length: {len(body)}"] if body else []
        one = head(path, token, *length, method=method) + body
        for _block in range(times // 100):
            yield one * 100

    # Nobody reads: at some point the service takes no more, or closes.
    return Shot(f"{times} × {method} {path} unread", pieces, (), 2, within=10, leaves=3)


def _probes(_: Aim, __: str) -> Iterator[Piece]:
    one = b"GET /healthz HTTP/1.1\r\nHost: attacked\r\n\r\n"
    for _block in range(200):
        yield one * 100


def _half_open(text: bytes) -> Shot:
    return Shot(f"half open {text[:8]!r}", lambda _, __: [text], (), 100, leaves=4)


def _half_body(_: Aim, token: str) -> list[Piece]:
    return [head(CHAT, token, "Content-Length: 1000"), b'{"model":']


ENDLESS = asked(CHAT, _body("hurt:chat:endless_events", stream=True))
BIG = asked(CHAT, _body("hurt:chat:long_answer", stream=True))
STORY = asked(CHAT, _body("Tell a very long story.", EMBEDDED, stream=True))
SCHEMA = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}}}
FORM = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
FORMED = asked(CHAT, _body("Tell a story.", EMBEDDED, response_format=FORM, stream=True))
PICTURED = asked(CHAT, _body("hurt:chat:silence", ABLE))
TEXTS = asked("/embeddings", {"model": LOCAL_VECTORS, "input": ["月亮 " * 100] * 16})

SHOTS = [
    Shot("reads slowly", BIG, ("200", "200 error"), 20, within=12, drinks=2000),
    Shot("reads nothing of much", BIG, (), 20, leaves=6),
    Shot("reads nothing without end", ENDLESS, (), 20, leaves=6),
    _pipelined("/models", "GET", b"", 20_000),
    _pipelined(CHAT, "POST", json.dumps(_body("你好")).encode(), 2_000),
    _pipelined(CHAT, "POST", b"{}", 20_000),
    _pipelined("/nowhere", "GET", b"", 20_000),
    Shot("20000 probes unread", _probes, (), 2, within=10, leaves=3),
    *map(_half_open, (b"", b"P", b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Slow: ")),
    Shot("half a body", _half_body, (), 50, leaves=3),
    Shot("leaves at once", ENDLESS, (), 200, leaves=0),
    Shot("leaves at once, embedded", STORY, (), 200, leaves=0),
    Shot("leaves soon", STORY, (), 40, leaves=0.3),
    Shot("leaves at once, formed", FORMED, (), 100, leaves=0),
    Shot("leaves a silent one", PICTURED, (), 40, leaves=0.5),
    Shot("leaves vectors", TEXTS, (), 40, leaves=0.1),
    Shot("leaves before the body", lambda _, t: posted(CHAT, t, b"{}")[:1], (), 100, leaves=0),
]  # fmt: skip
