"""Whether a file holds all that its headers promise, without decoding it."""

from __future__ import annotations

from PIL.ImageFile import ImageFile

_MAX_CHUNKS = 100_000
_SOS, _EOI = 0xDA, b"\xff\xd9"
_ALONE = {0x01, *range(0xD0, 0xD9)}
"""JPEG markers without a length."""


def png(data: bytes, image: ImageFile) -> bool:
    """Its chunks reach the end mark (PNG, section 5.3)."""
    at = 8
    for _ in range(_MAX_CHUNKS):
        length = int.from_bytes(data[at : at + 4], "big")
        name = data[at + 4 : at + 8]
        at += 12 + length
        if at > len(data):
            return False
        if name == b"IEND":
            return True
    return False


def jpeg(data: bytes, image: ImageFile) -> bool:
    """An end mark follows the first scan (ITU T.81, annex B): compressed data holds none."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            at += 1  # decoders pass over what stands between segments
            continue
        marker = data[at + 1]
        if marker == _SOS:
            return data.find(_EOI, at) >= 0
        if marker == 0xFF:
            at += 1
        else:
            length = 0 if marker in _ALONE else int.from_bytes(data[at + 2 : at + 4], "big")
            at += 2 + length
    return False


def bmp(data: bytes, image: ImageFile) -> bool:
    """All rows of an uncompressed bitmap are there; of a compressed one it cannot be told."""
    decoder, _, offset, arguments = image.tile[0]
    if decoder != "raw":
        return True
    assert isinstance(arguments, tuple)
    return bool(offset + arguments[1] * image.height <= len(data))


def webp(data: bytes, image: ImageFile) -> bool:
    """The RIFF container is as long as it says."""
    return int.from_bytes(data[4:8], "little") + 8 <= len(data)
