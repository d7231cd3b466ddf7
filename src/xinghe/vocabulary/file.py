"""The tokens of a GGUF file: what stands in its metadata, read as far as they are there.

llama.cpp's own reader is asked for one token after the other, which takes four times as long, and
the package `gguf` a hundred times: an engine that starts waits for it.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Sequence

NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4
"""Of `tokenizer.ggml.token_type`."""
_TEXTS, _TYPES = b"tokenizer.ggml.tokens", b"tokenizer.ggml.token_type"
_MAGIC, _STRING, _ARRAY, _INT32 = b"GGUF", 8, 9, 5
_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""That a value takes, by its type."""
_HEAD, _ITEMS = struct.Struct("<4sIQQ"), struct.Struct("<IQ")
_KIND, _LENGTH = struct.Struct("<I"), struct.Struct("<Q")


def tokens_of(weights: str) -> list[tuple[bytes, int]]:
    """Text and type of every token, in order; none where the file has no vocabulary.

    Raises `ValueError` for what is no GGUF file, `OSError`.
    """
    with open(weights, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            texts, kinds = _read(data)
        except (struct.error, KeyError, OverflowError) as error:
            raise ValueError(f"{weights} is no GGUF file") from error
    return list(zip(texts, kinds or [NORMAL] * len(texts), strict=True))


def _read(data: mmap.mmap) -> tuple[list[bytes], Sequence[int]]:
    """Raises `struct.error`, `KeyError` for a type that there is not."""
    magic, _, _, count = _HEAD.unpack_from(data)
    if magic != _MAGIC:
        raise struct.error(f"begins with {magic!r}")
    texts, kinds = list[bytes](), tuple[int, ...]()
    at = _HEAD.size
    for _ in range(count):
        name, at = _string(data, at)
        (kind,) = _KIND.unpack_from(data, at)
        at += _KIND.size
        if kind == _STRING:
            _, at = _string(data, at)
            continue
        if kind != _ARRAY:
            at += _BYTES[kind]
            continue
        inner, length = _ITEMS.unpack_from(data, at)
        at += _ITEMS.size
        if inner == _STRING:
            items, at = _strings(data, at, length)
            if name == _TEXTS:
                texts = items
        else:
            if name == _TYPES and inner == _INT32:
                kinds = struct.unpack_from(f"<{length}i", data, at)
            at += length * _BYTES[inner]
        if texts and kinds:
            break  # behind them stand the merges, as many again
    return texts, kinds


def _strings(data: mmap.mmap, at: int, count: int) -> tuple[list[bytes], int]:
    length_at, items = _LENGTH.unpack_from, list[bytes]()
    for _ in range(count):
        begin = at + 8
        at = begin + length_at(data, at)[0]
        items.append(data[begin:at])
    return items, at


def _string(data: mmap.mmap, at: int) -> tuple[bytes, int]:
    (text,), at = _strings(data, at, 1)
    return text, at
