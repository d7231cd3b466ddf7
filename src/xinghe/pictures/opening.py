"""From bytes to a `Picture`: type, size and wholeness are told from the bytes, none is decoded."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TypeAlias

from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from xinghe.core import Picture
from xinghe.pictures import whole
from xinghe.pictures.errors import PictureError

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

_FORMATS: dict[str, tuple[Callable[[io.BytesIO], ImageFile], Callable[[bytes], bool]]]
_FORMATS = {
    "JPEG": (JpegImageFile, whole.jpeg),
    "PNG": (PngImageFile, whole.png),
    "BMP": (BmpImageFile, whole.bmp),
    "WEBP": (WebPImageFile, whole.webp),
}
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


def open_picture(data: bytes, allow: Kinds) -> Picture:
    """A picture of one of the kinds in `allow` (`INLINE` or `FETCHED`).

    At most 10 MB, 1 to 32,768 pixels a side and 67,108,864 pixels in all; width and height are
    those of the header, before any rotation by EXIF. An animation counts as its first frame. A
    file that ends early is refused. Raises `PictureError`.
    """
    require_size(len(data))
    kind = _kind(data)
    if kind not in allow:
        raise PictureError(
            f"the picture's data is {kind or 'of no known picture format'}; {', '.join(allow)} "
            "are accepted"
        )
    opener, is_whole = _FORMATS[kind]
    if not is_whole(data):
        raise PictureError(f"the picture is a {kind} whose data is damaged or ends early")
    try:
        with opener(io.BytesIO(data)) as image:
            width, height = image.size
    except Exception as error:  # crafted headers raise all sorts of things in the library
        raise PictureError(f"the picture is a {kind} whose header cannot be read") from error
    _require_extent(width, height)
    return Picture(data, f"image/{kind.lower()}", width, height)


def require_size(count: int) -> None:
    """Raises `PictureError` unless a picture may have `count` bytes."""
    if not 0 < count <= MAX_BYTES:
        raise PictureError(
            f"the picture has {count} bytes; it must have between 1 and {MAX_BYTES} (10 MB)"
        )


def _require_extent(width: int, height: int) -> None:
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise PictureError(
            f"the picture has {width}x{height} pixels; each side must have between 1 and {MAX_SIDE}"
        )
    if width * height > MAX_PIXELS:
        raise PictureError(
            f"the picture has {width}x{height} pixels; it may have {MAX_PIXELS} in all"
        )


def _kind(data: bytes) -> str:
    return next((kind for mark, at, kind in _MARKS if data.startswith(mark, at)), "")
