"""`data:image/<format>;base64,<data>` (RFC 2397; section 5.8 of the source)."""

from __future__ import annotations

import binascii
import re
import time

from xinghe.pictures.errors import PictureError
from xinghe.pictures.opening import MAX_BYTES, require_size

_HEAD = re.compile(r"data:[^,;]{0,100}(;[^,;]{1,100}){0,4}?;base64,", re.IGNORECASE)
SLICE = 256 * 1024
"""Characters that are decoded at once."""
_BLANKS = str.maketrans("", "", " \t\r\n")


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
        require_size((len(text) - head.end()) * 3 // 4)
    try:
        data = _decoded(text, head.end())
    except ValueError as error:  # binascii.Error, and characters beyond ASCII
        raise PictureError(f"the picture's data is not base64: {error}") from None
    require_size(len(data))
    return data


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
        time.sleep(0)  # whoever waits for the GIL gets it
    return bytes(data + binascii.a2b_base64(rest, strict_mode=True))
