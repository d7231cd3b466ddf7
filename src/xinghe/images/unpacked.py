"""What `unpacking` is asked, and its answer: apart from it, as the gateway loads no Pillow."""

import msgspec


class Unpack(msgspec.Struct, frozen=True):
    """An image of `width` × `height` pixels is wanted: `answer` is JSON, or `file` the image."""

    width: int
    height: int
    answer: bytes = b""
    file: bytes = b""


class Unpacked(msgspec.Struct, frozen=True):
    """One of the three: a PNG file, the URL that stands in the answer, or what is wrong."""

    png: bytes = b""
    url: str = ""
    fault: str = ""
