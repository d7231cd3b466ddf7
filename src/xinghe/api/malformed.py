"""Why a text is no JSON, in words that help: the decoder's own leave the commonest causes out."""

import codecs
import re

import msgspec

from xinghe.api.errors import ApiError, Errors

_LONE_SURROGATE = re.compile(
    rb"(?:[^\\]++|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|\\(?!u[dD][89a-fA-F])[\s\S])*+(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
"""The first in a text; what stands before is passed over once."""
_SURROGATE_BYTES = re.compile(rb"\xed[\xa0-\xbf]")


def not_json(reason: object) -> ApiError:
    return ApiError(Errors.MALFORMED_JSON, f"Invalid JSON: {reason}")


def why_not_json(data: bytes | bytearray, error: Exception) -> ApiError:
    """The refusal of a text that msgspec could not decode for `error`."""
    begin = bytes(data[:4])
    said = str(error)
    if not data.strip():
        return not_json("the body is empty, allowed: an object")
    if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\x00" in begin:
        return not_json("the body is in UTF-16 or UTF-32, allowed: UTF-8")
    if begin.startswith(codecs.BOM_UTF8):
        return not_json("the body begins with a byte order mark, allowed: UTF-8 without one")
    if isinstance(error, UnicodeDecodeError):
        return _not_utf8(data)
    # The decoder calls a text truncated that ends, or whose string ends, behind half a pair.
    if isinstance(error, msgspec.DecodeError) and ("truncated" in said or "surrogate" in said):
        lone = _LONE_SURROGATE.match(data)
        if lone is not None:
            return _half(lone[1].decode(), lone.start(1))
    return not_json(said)


def _not_utf8(data: bytes | bytearray) -> ApiError:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        if _SURROGATE_BYTES.match(data, error.start):
            return _half("in its bytes", error.start)
        return not_json(
            f"the text is not in UTF-8: 0x{data[error.start]:02x} (byte {error.start}), "
            "allowed: UTF-8"
        )
    return not_json("the text is not in UTF-8, allowed: UTF-8")


def _half(shown: str, at: int) -> ApiError:
    return not_json(
        f"a lone surrogate ({shown}, byte {at}) is half a character, allowed: both halves together"
    )
