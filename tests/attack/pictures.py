"""Pictures that cost more than they look, and many ordinary ones at once (issue's A3)."""

from __future__ import annotations

import base64
import io
import random
import struct
import zlib
from collections.abc import Callable, Iterable
from functools import cache

from PIL import Image, ImageDraw

from tests.attack.hosts import ABLE
from tests.attack.shot import Aim, Piece, Shot, asked

MB = 1024 * 1024
BMP = "<I4xIIiiHHIIiiII"
"""The head of a bitmap: its size, where pixels begin, its own size, width, height …"""


def _saved(image: Image.Image, form: str, **more: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **more)
    return file.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, data: bytes, *before: bytes) -> bytes:
    """A grey PNG whose head says this size, whatever its data says."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"".join(
        [b"\x89PNG\r\n\x1a\n", header, *before, _chunk(b"IDAT", data), _chunk(b"IEND", b"")]
    )


@cache
def _zeros(size: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(MB)) for _ in range(size // MB)) + packer.flush()


def _text() -> bytes:
    image = Image.new("RGB", (800, 600), "white")
    draw = ImageDraw.Draw(image)
    for line in range(20):
        draw.text((10, 20 * line), f"line {line}: the quick brown fox jumps over a dog", "black")
    return _saved(image, "PNG")


def _noise() -> bytes:
    return _saved(
        Image.frombytes("RGB", (900, 900), random.Random(0).randbytes(900 * 900 * 3)), "PNG"
    )


def _frames() -> bytes:
    frames = [Image.new("P", (400, 400), n) for n in range(200)]
    return _saved(frames[0], "GIF", save_all=True, append_images=frames[1:])


PICTURES: dict[str, Callable[[], bytes]] = {
    "bomb_30000": lambda: _png(30_000, 30_000, _zeros(100 * MB)),
    "bomb_huge_head": lambda: _png(2**31 - 1, 2**31 - 1, b""),
    "bomb_just_allowed": lambda: _saved(Image.new("1", (9000, 9000)), "PNG"),
    "bomb_tall": lambda: _saved(Image.new("1", (1, 60_000)), "PNG"),
    "bomb_more_data": lambda: _png(100, 100, _zeros(300 * MB)),
    "bomb_text": lambda: _png(100, 100, b"", _chunk(b"zTXt", b"a\x00\x00" + _zeros(300 * MB))),
    "bomb_profile": lambda: _png(99, 99, b"", _chunk(b"iCCP", b"a\x00\x00" + _zeros(300 * MB))),
    "many_chunks": lambda: _png(10, 10, _zeros(MB)[:500], *[_chunk(b"tEXt", b"a\x00b")] * 200_000),
    "bmp_head": lambda: b"BM" + struct.pack(BMP, 99, 54, 40, 60_000, 60_000, 1, 24, *[0] * 6),
    "truncated": lambda: _noise()[: MB],
    "noise": _noise,
    "jpeg_cut": lambda: _saved(Image.new("RGB", (8000, 8000)), "JPEG")[:-2000],
    "progressive": lambda: _saved(Image.effect_noise((2500, 2500), 80), "JPEG", progressive=True),
    "frames": _frames,
    "random": lambda: random.Random(1).randbytes(9 * MB),
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "empty": lambda: b"",
    "text": _text,
    "small": lambda: _saved(Image.new("RGB", (64, 64), "navy"), "PNG"),
}  # fmt: skip


@cache
def _url(name: str) -> str:
    return "data:image/png;base64," + base64.b64encode(PICTURES[name]()).decode()


def _pictured(urls: list[str]) -> Callable[[Aim, str], Iterable[Piece]]:
    parts: list[dict[str, object]] = [{"type": "text", "text": "看"}]
    parts += [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    messages = [{"role": "user", "content": parts}]
    return asked("/chat/completions", {"model": ABLE, "messages": messages})


def _later(name: str, times: int) -> Callable[[Aim, str], Iterable[Piece]]:
    @cache
    def made() -> Callable[[Aim, str], Iterable[Piece]]:
        return _pictured([_url(name)] * times)

    def pieces(aim: Aim, token: str) -> Iterable[Piece]:
        return made()(aim, token)

    return pieces


URLS = {
    "loopback": "http://127.0.0.1:22/a.png",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "file": "file:///etc/passwd",
    "no_base64": "data:image/png;base64,####",
    "long_host": "http://" + "a" * 5000 + "/a.png",
    "decimal_host": "http://2130706433/a.png",
    "user": "http://a:b@127.0.0.1/a.png",
    "swallows": "http://swallows.example/a.png",
}
"""`swallows` is a host that takes connections and never answers."""

SMALL = _later("small", 1)
TIMEOUT = 100.0
"""Seconds: reading a picture may take 60, after which the model is told that it could not be."""
READ = ("200", "400", "413", "429")

SHOTS = [
    *(Shot(name, _later(name, 1), READ, 2, TIMEOUT) for name in PICTURES),
    *(Shot(f"url {name}", _pictured([url]), ("400", "429"), 2, 30) for name, url in URLS.items()),
    Shot("many at once", _later("text", 1), READ, 20, TIMEOUT),
    Shot("many at once and leaves", _later("text", 1), (), 20, leaves=0.3),
    Shot("ten in each", _later("text", 10), READ, 4, TIMEOUT),
    Shot("bombs at once", _later("bomb_just_allowed", 3), READ, 10, TIMEOUT),
    Shot("slow hosts at once", _pictured([URLS["swallows"]] * 4), ("400", "429"), 20, 45),
]
