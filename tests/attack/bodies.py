"""Bodies that are larger, or cost more, than they look (issue's A2)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from tests.attack.hosts import LOCAL_VECTORS, LONG, PLAIN
from tests.attack.shot import Aim, Piece, Shot, head, posted

MB = 1024 * 1024
FULL = 61 * MB
"""Just under `server.max_body_bytes`."""

CHAT = "/chat/completions"
FUNCTION = b'{"type":"function","function":{"name":"f"}}'
PART = b'{"type":"text","text":"a"}'
START = b'{"model":"' + PLAIN.encode() + b'","messages":[{"role":"user","content":"a"}]'
"""An ordinary request up to its next field."""
MESSAGE = b'{"role":"user","content":"a"}'


def _times(block: bytes, size: int = FULL) -> bytes:
    """`block` with commas between, as often as it goes."""
    return b",".join([block] * (size // (len(block) + 1)))


def _keys(prefix: bytes, count: int, value: bytes) -> bytes:
    return b",".join(b'"%s%x":%s' % (prefix, n, value) for n in range(count))


def _small_keys() -> bytes:
    return START + b',"x":{' + _times(_keys(b"", 100_000, b"0")) + b"}}"


def _messages(one: bytes, count: int) -> bytes:
    return b'{"model":"%s","messages":[' % PLAIN.encode() + b",".join([one] * count) + b"]}"


def _content(text: bytes, model: str = PLAIN) -> bytes:
    message = b'{"role":"user","content":"' + text + b'"}'
    return b'{"model":"%s","messages":[%s]}' % (model.encode(), message)


def _parts(parts: bytes) -> bytes:
    return _messages(b'{"role":"user","content":[' + parts + b"]}", 1)


def _csv() -> bytes:
    """490,000 characters with all the marks that JSON has: a table in one message."""
    row = 'name;"a, b";{x: [1, 2, 3]};http://example.com:80/\n'
    return _content(json.dumps((row * 10_000)[:490_000])[1:-1].encode(), LONG)


def _program() -> bytes:
    line = 'd[f"{k}:{v}"] = {"a": [1, 2, {"b": (3, 4)}], "c": {}}  # {,:[\n'
    return _content(json.dumps((line * 10_000)[:490_000])[1:-1].encode(), LONG)


REFUSED = ("400", "413", "429")

BODIES: dict[str, tuple[str, Callable[[], bytes], tuple[str, ...]]] = {
    "small_keys": (CHAT, _small_keys, REFUSED),
    "small_keys_spaced": (CHAT, lambda: _small_keys().replace(b":0", b" : 0")[:FULL], REFUSED),
    "million_messages": (CHAT, lambda: _messages(MESSAGE, 1_000_000), REFUSED),
    "empty_messages": (CHAT, lambda: _messages(b"{}", 10_000_000), REFUSED),
    "logit_bias": (
        CHAT, lambda: START + b',"logit_bias":{' + _keys(b"", 3_000_000, b"1") + b"}}", REFUSED
    ),
    "metadata": (
        CHAT, lambda: START + b',"metadata":{' + _keys(b"m", 500_000, b'"v"') + b"}}", REFUSED
    ),
    "stop": (CHAT, lambda: START + b',"stop":[' + _times(b'"s"') + b"]}", REFUSED),
    "tools": (CHAT, lambda: START + b',"tools":[' + _times(FUNCTION) + b"]}", REFUSED),
    "parts": (CHAT, lambda: _parts(_times(PART, 40 * MB)), REFUSED),
    "unknown_fields": (CHAT, lambda: START + b"," + _keys(b"u", 2_000_000, b"[]") + b"}", REFUSED),
    "empty_lists": (CHAT, lambda: START + b',"x":[' + _times(b"[]") + b"]}", REFUSED),
    "numbers": (CHAT, lambda: START + b',"x":[' + _times(b"1.5e3") + b"]}", REFUSED),
    "deep_lists": (CHAT, lambda: START + b',"x":' + b"[" * (FULL - 1000), REFUSED),
    "deep_objects": (CHAT, lambda: START + b',"x":' + b'{"a":' * 5_000_000, REFUSED),
    "deep_closed": (
        CHAT, lambda: START + b',"x":' + b"[" * 40_000 + b"]" * 40_000 + b"}", (*REFUSED, "200")
    ),
    "long_number": (CHAT, lambda: START + b',"temperature":' + b"9" * FULL + b"}", REFUSED),
    "big_exponent": (CHAT, lambda: START + b',"temperature":1e999999999}', REFUSED),
    "big_seed": (CHAT, lambda: START + b',"seed":' + b"7" * 4000 + b"}", REFUSED),
    "not_a_number": (CHAT, lambda: START + b',"temperature":NaN}', REFUSED),
    "long_content": (CHAT, lambda: _content(b"x" * FULL), REFUSED),
    "marks_in_text": (CHAT, lambda: _content(b",:{[" * (FULL // 4)), REFUSED),
    "quotes_in_text": (CHAT, lambda: _content(rb"\"," * (FULL // 3)), REFUSED),
    "backslashes": (CHAT, lambda: _content(b"\\\\" * (FULL // 2)), REFUSED),
    "escapes": (CHAT, lambda: _content(rb"\u4e2d" * (FULL // 6)), REFUSED),
    "surrogates": (CHAT, lambda: _content(rb"\ud800" * 1000), REFUSED),
    "not_utf8": (CHAT, lambda: _content(b"\xff" * (20 * MB)), REFUSED),
    "long_model": (CHAT, lambda: _content(b"a", "m" * FULL), (*REFUSED, "404")),
    "long_user": (CHAT, lambda: START + b',"user":"' + b"u" * FULL + b'"}', (*REFUSED, "200")),
    "long_key": (CHAT, lambda: START + b',"' + b"k" * FULL + b'":1}', (*REFUSED, "200")),
    "white_space": (CHAT, lambda: b" " * FULL + START + b"}", (*REFUSED, "200")),
    "open_string": (CHAT, lambda: START + b',"x":"' + b"y" * (FULL - 1000), REFUSED),
    "same_key": (CHAT, lambda: START + b"," + _times(b'"n":1') + b"}", REFUSED),
    "no_json": (CHAT, lambda: b"\x00" * FULL, REFUSED),
    "empty": (CHAT, lambda: b"", REFUSED),
    "inputs": (
        "/embeddings",
        lambda: b'{"model":"%s","input":[' % LOCAL_VECTORS.encode() + _times(b'"a"') + b"]}",
        REFUSED,
    ),
    "token_ids": (
        "/embeddings", lambda: b'{"input":[' + _times(b"17", 20 * MB) + b"]}", REFUSED
    ),
    "documents": (
        "/rerank", lambda: b'{"query":"a","documents":[' + _times(b'"d"') + b"]}", REFUSED
    ),
    "image_prompt": (
        "/images/generations",
        lambda: b'{"model":"Stable-Diffusion-XL","prompt":"' + b"p" * FULL + b'"}',
        (*REFUSED, "403"),
    ),
    "csv": (CHAT, _csv, ("200",)),
    "program": (CHAT, _program, ("200",)),
}  # fmt: skip


@lru_cache(maxsize=2)
def _built(name: str) -> bytes:
    return BODIES[name][1]()


def _whole(name: str) -> Callable[[Aim, str], Iterable[Piece]]:
    def pieces(_: Aim, token: str) -> Iterator[Piece]:
        yield from posted(BODIES[name][0], token, _built(name))

    return pieces


def _chunked(name: str) -> Callable[[Aim, str], Iterable[Piece]]:
    """The same in many chunks, without a length to judge it by."""

    def pieces(_: Aim, token: str) -> Iterator[Piece]:
        body = memoryview(_built(name))
        yield head(CHAT, token, "Transfer-Encoding: chunked")
        for at in range(0, len(body), MB):
            part = body[at : at + MB]
            yield b"%x\r\n%s\r\n" % (len(part), part)
        yield b"0\r\n\r\n"

    return pieces


def _one_byte_chunks(_: Aim, token: str) -> Iterator[Piece]:
    yield head(CHAT, token, "Transfer-Encoding: chunked")
    yield b"1\r\n \r\n" * 2_000_000
    yield b"%x\r\n%s\r\n0\r\n\r\n" % (len(START) + 1, START + b"}")


def _slowly(_: Aim, token: str) -> Iterator[Piece]:
    body = START + b"}"
    yield head(CHAT, token, f"Content-Length: {len(body)}")
    for at in range(len(body)):
        yield body[at : at + 1]
        yield 0.02


def _never_ending(_: Aim, token: str) -> Iterator[Piece]:
    yield head(CHAT, token, f"Content-Length: {FULL}")
    for _second in range(40):
        yield START
        yield 0.2


def _packed(_: Aim, token: str) -> list[bytes]:
    return posted(CHAT, token, gzip.compress(b" " * (100 * MB), 9), "Content-Encoding: gzip")


THREE = ("small_keys", "million_messages", "logit_bias", "deep_lists", "marks_in_text")

SHOTS = [
    *(Shot(name, _whole(name), row[2], within=60) for name, row in BODIES.items()),
    *(Shot(f"{name}, three at once", _whole(name), BODIES[name][2], 3, 60) for name in THREE),
    Shot("small_keys in chunks", _chunked("small_keys"), REFUSED, 2, 60),
    Shot("one_byte_chunks", _one_byte_chunks, ("200", *REFUSED), 2, 60),
    Shot("slow", _slowly, ("200",), 50, 60),
    Shot("never ending", _never_ending, ("408",), 20, leaves=1),
    Shot("gzip", _packed, (*REFUSED, "415"), 3),
]
