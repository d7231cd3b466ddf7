"""Whether a file holds all that its structure promises; nothing is decoded.

This also bounds what the parsers behind it have to do: they look at every chunk and segment, and
a file of ten megabytes has room for a million empty ones.
"""

from __future__ import annotations

import zlib

MAX_STEPS = 20_000
"""Chunks of a PNG; segments of a JPEG and bytes between them."""
_SOS, _EOI = 0xDA, b"\xff\xd9"
_ALONE = {0x01, *range(0xD0, 0xD9)}
"""JPEG markers without a length."""
_CORE_HEADER = 12


def png(data: bytes) -> bool:
    """Its chunks reach the end mark (PNG, section 5.3); the critical ones have their checksums.

    A decoder stops at a wrong one, and an engine with eyes would be sent what it cannot read.
    """
    at = 8
    for _ in range(MAX_STEPS):
        length = int.from_bytes(data[at : at + 4], "big")
        name = data[at + 4 : at + 8]
        body, at = at + 4, at + 12 + length
        if at > len(data):
            return False
        critical = name[:1].isupper()
        if critical and zlib.crc32(data[body : at - 4]) != int.from_bytes(data[at - 4 : at], "big"):
            return False
        if name == b"IEND":
            return True
    return False


def jpeg(data: bytes) -> bool:
    """An end mark follows the first scan (ITU T.81, annex B): compressed data holds none."""
    at = 2
    for _ in range(MAX_STEPS):
        if at + 4 > len(data):
            return False
        marker = data[at + 1]
        if data[at] != 0xFF or marker == 0xFF:
            at += 1  # fill bytes, and what decoders pass over between segments
        elif marker == _SOS:
            return data.find(_EOI, at) >= 0
        else:
            length = 0 if marker in _ALONE else int.from_bytes(data[at + 2 : at + 4], "big")
            at += 2 + length
    return False


def bmp(data: bytes) -> bool:
    """All rows of an uncompressed bitmap are there; of a compressed one it cannot be told."""
    if _little(data, 14, 4) == _CORE_HEADER:
        width, height, bits, compression = *(_little(data, at, 2) for at in (18, 20, 24)), 0
    else:
        width, bits, compression = _little(data, 18, 4), _little(data, 28, 2), _little(data, 30, 4)
        height = abs(int.from_bytes(data[22:26], "little", signed=True))  # negative: top row first
    if compression not in {0, 3}:
        return True
    row = (width * bits + 31) // 32 * 4
    return _little(data, 10, 4) + row * height <= len(data)


def webp(data: bytes) -> bool:
    """The RIFF container is as long as it says."""
    return _little(data, 4, 4) + 8 <= len(data)


def _little(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")
