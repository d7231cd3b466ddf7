"""From what a client sends to a `Picture`: data URL, type, size and wholeness; none is decoded.

Whether a file holds all that its structure promises bounds, too, what the parsers behind it have
to do: they look at every chunk and segment, and a file of ten megabytes has room for a million
empty ones.
"""

from __future__ import annotations

import binascii
import io
import re
import time
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from xinghe.core import Picture

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

Kinds: TypeAlias = tuple[str, ...]

INLINE: Kinds = ("JPEG", "PNG", "BMP")
"""What may come as base64 (section 5.8)."""
FETCHED: Kinds = (*INLINE, "WEBP")
"""What may come from a URL (section 5.8)."""

MAX_BYTES = 10 * 1024 * 1024
MAX_SIDE = 32_768
"""Pixels; a long screenshot has some 20,000."""
MAX_PIXELS = 64 * 1024 * 1024
"""Some 64 megapixels: what decoding takes is bounded by this, not by the bytes."""
SLICE = 256 * 1024
"""Characters of base64 that are decoded at once."""
MAX_STEPS = 20_000
"""Chunks of a PNG; segments of a JPEG and bytes between them."""
_SOS, _EOI = 0xDA, b"\xff\xd9"
_ALONE = {0x01, *range(0xD0, 0xD9)}
"""JPEG markers without a length."""
_CORE_HEADER = 12

_HEAD = re.compile(r"data:[^,;]{0,100}(;[^,;]{1,100}){0,4}?;base64,", re.IGNORECASE)
_BLANKS = str.maketrans("", "", " \t\r\n")

_MARKS = (
    (b"\xff\xd8\xff", 0, "JPEG"),
    (b"\x89PNG\r\n\x1a\n", 0, "PNG"),
    (b"BM", 0, "BMP"),
    (b"WEBP", 8, "WEBP"),
    (b"GIF8", 0, "GIF"),
    (b"II*\0", 0, "TIFF"),
    (b"MM\0*", 0, "TIFF"),
    (b"ftypavi", 4, "AVIF"),
    (b"ftyphei", 4, "HEIC"),
    (b"ftypmif1", 4, "HEIF"),
    (b"\0\0\1\0", 0, "ICO"),
    (b"%PDF", 0, "PDF"),
    (b"<svg", 0, "SVG"),
    (b"<?xml", 0, "XML"),
)


class PictureError(Exception):
    """The picture is not accepted; the message names what it is and what it may be."""


def read_data_url(text: str) -> bytes:
    """The bytes of a data URL; what its label says of them is not looked at.

    Line breaks and blanks within the base64 are passed over, as in RFC 2045. Raises
    `PictureError`.
    """
    head = _HEAD.match(text)
    if head is None:
        raise PictureError(
            f"the picture's URL begins with {text[:32]!r}; a picture must be an http or https "
            "URL, or data:image/<jpg|jpeg|png|bmp>;base64,<data>"
        )
    # Told before any of it is copied; the exact count follows.
    if (len(text) - head.end()) * 3 // 4 > 2 * MAX_BYTES:
        _require_size((len(text) - head.end()) * 3 // 4)
    try:
        data = _decoded(text, head.end())
    except ValueError as error:  # binascii.Error, and characters beyond ASCII
        raise PictureError(f"the picture's data is not base64: {error}") from None
    _require_size(len(data))
    return data


def open_picture(data: bytes, allow: Kinds) -> Picture:
    """A picture of one of the kinds in `allow` (`INLINE` or `FETCHED`).

    At most 10 MB, 1 to 32,768 pixels a side and 67,108,864 pixels in all; width and height are
    those of the header, before any rotation by EXIF. An animation counts as its first frame. A
    file that ends early is refused. Raises `PictureError`.
    """
    _require_size(len(data))
    kind = next((kind for mark, at, kind in _MARKS if data.startswith(mark, at)), "")
    if kind not in allow:
        raise PictureError(
            f"the picture's data is {kind or 'of no known picture format'}; {', '.join(allow)} "
            "are accepted"
        )
    if not _WHOLE[kind](data):
        raise PictureError(f"the picture is a {kind} whose data is damaged or ends early")
    try:
        with _parser(kind)(io.BytesIO(data)) as image:
            width, height = image.size
    except Exception as error:  # crafted headers raise all sorts of things in the library
        raise PictureError(f"the picture is a {kind} whose header cannot be read") from error
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise PictureError(
            f"the picture has {width}x{height} pixels; each side must have between 1 and {MAX_SIDE}"
        )
    if width * height > MAX_PIXELS:
        raise PictureError(
            f"the picture has {width}x{height} pixels; it may have {MAX_PIXELS} in all"
        )
    return Picture(data, f"image/{kind.lower()}", width, height)


def _require_size(count: int) -> None:
    """Raises `PictureError` unless a picture may have `count` bytes."""
    if not 0 < count <= MAX_BYTES:
        raise PictureError(
            f"the picture has {count} bytes; it must have between 1 and {MAX_BYTES} (10 MB)"
        )


def _decoded(text: str, at: int) -> bytes:
    """Slice by slice: ten megabytes at once would hold the GIL, and so everybody's streams."""
    data = bytearray()
    rest = ""
    for low in range(at, len(text), SLICE):
        piece = rest + text[low : low + SLICE].translate(_BLANKS)
        whole = len(piece) // 4 * 4
        if piece[:whole].endswith("="):
            whole -= 4  # the end, if nothing follows
        if piece[:whole].endswith("="):
            raise ValueError("Excess data after padding")
        data += binascii.a2b_base64(piece[:whole], strict_mode=True)
        rest = piece[whole:]
        time.sleep(0)  # another thread that waits for the GIL gets it
    return bytes(data + binascii.a2b_base64(rest, strict_mode=True))


def _is_whole_png(data: bytes) -> bool:
    """Its chunks reach the end mark (PNG, section 5.3); the critical ones have their checksums.

    A decoder stops at a wrong one, and an engine with vision would be sent what it cannot read.
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


def _is_whole_jpeg(data: bytes) -> bool:
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


def _is_whole_bmp(data: bytes) -> bool:
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


def _little(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


def _parser(kind: str) -> Callable[[io.BytesIO], ImageFile]:
    """Of the header. Pillow is loaded with the first picture: most services see none."""
    from PIL.BmpImagePlugin import BmpImageFile  # noqa: PLC0415
    from PIL.JpegImagePlugin import JpegImageFile  # noqa: PLC0415
    from PIL.PngImagePlugin import PngImageFile  # noqa: PLC0415
    from PIL.WebPImagePlugin import WebPImageFile  # noqa: PLC0415

    parsers: dict[str, Callable[[io.BytesIO], ImageFile]]
    parsers = {
        "JPEG": JpegImageFile, "PNG": PngImageFile, "BMP": BmpImageFile, "WEBP": WebPImageFile,
    }  # fmt: skip
    return parsers[kind]


_WHOLE: dict[str, Callable[[bytes], bool]] = {
    "JPEG": _is_whole_jpeg,
    "PNG": _is_whole_png,
    "BMP": _is_whole_bmp,
    # The RIFF container is as long as it says.
    "WEBP": lambda data: _little(data, 4, 4) + 8 <= len(data),
}
