"""Bytes of an unknown encoding as text."""

from __future__ import annotations

import codecs

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MOST_STRANGE = 0.02
"""The share of control and private-use characters from which on a text is none."""


class Undecodable(Exception):
    """The bytes are no text in an encoding that we know."""


def decode(data: bytes) -> str:
    """Read UTF-8, UTF-16/32 with a byte order mark, or GB18030 (which holds GBK and GB2312).

    Raises `Undecodable`.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _checked(data, encoding)
    if b"\0" in data:
        raise Undecodable("it is binary")
    try:
        return _checked(data, "utf-8")
    except Undecodable:
        return _checked(data, "gb18030")


def _checked(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise Undecodable("it is neither UTF-8, UTF-16 nor GB18030 text") from error
    strange = sum(_strange(char) for char in text)
    if strange > len(text) * _MOST_STRANGE:
        raise Undecodable("it is binary")
    return text


def _strange(char: str) -> bool:
    code = ord(char)
    return (code < 32 and char not in "\t\n\r\f") or 0x7F <= code < 0xA0 or 0xE000 <= code < 0xF900
