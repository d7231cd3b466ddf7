"""Arrays of strangers' JSON, of which no more is built than was asked for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding strangers' JSON raises. The texts of these errors may quote it."""


def items(raw: msgspec.Raw, kind: type[T], most: int) -> list[T]:
    """The items of an array; `most` (rounded up to a power of two) is how many there may be.

    A list type would build a million of them first. Raises `UNREADABLE`.
    """
    wanted: Any = kind
    decode = _decoder(wanted, 1 << max(0, most - 1).bit_length())
    return [item for item in msgspec.structs.astuple(decode(raw)) if item is not None]


@functools.lru_cache(64)
def _decoder(kind: Any, most: int) -> Callable[[msgspec.Raw], msgspec.Struct]:
    # Written as an array, a struct with so many fields is refused at the first item too many.
    fields = [(f"item_{at}", kind | None, None) for at in range(most)]
    array = msgspec.defstruct("Items", fields, array_like=True, forbid_unknown_fields=True)
    return msgspec.json.Decoder(array).decode
