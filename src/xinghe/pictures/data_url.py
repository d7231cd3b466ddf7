"""`data:image/<format>;base64,<data>` (RFC 2397; section 5.8 of the source)."""

from __future__ import annotations

import binascii
import re

from xinghe.pictures.errors import PictureError
from xinghe.pictures.opening import MAX_BYTES, require_size

_HEAD = re.compile(r"data:[^,;]{0,100}(;[^,;]{1,100}){0,4}?;base64,", re.IGNORECASE)
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
    body = text[head.end() :].translate(_BLANKS)
    try:
        data = binascii.a2b_base64(body, strict_mode=True)
    except ValueError as error:  # binascii.Error, and characters beyond ASCII
        raise PictureError(f"the picture's data is not base64: {error}") from None
    require_size(len(data))
    return data
