"""JSON decoded so that nobody else waits: a large text while it arrives.

One call of the decoder cannot be interrupted, and tens of megabytes take it a tenth of a second.
So the strings that make a text large (pictures, above all) are cut out as they pass, each is
decoded for itself, and what is left is small enough for one call.
"""

import asyncio
import re
import secrets
import sys
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from xinghe.api.errors import ApiError, Errors
from xinghe.api.malformed import not_json, why_not_json

MARKS = b",:{["
"""Each begins at most one value: what stands behind it."""
MAX_PLAIN_BYTES = 8 * 1024 * 1024
"""Outside strings: blanks between values, above all."""
MAX_DIGITS = 500
"""In one number: the time that it takes grows with the square of its length."""
MAX_STRING = 16 * 1024 * 1024
"""Bytes of memory that are kept of one string: the largest picture takes 14 million."""
MAX_KEY = 64 * 1024
"""Characters of a key."""
BLOCK = 64 * 1024
"""Bytes that are looked at between two turns of the others."""
CUT = 128
"""Bytes from which on a string is cut out."""
MANY_QUOTES = 1024
"""In one block: strings that are as short may stay where they are."""
PART = 4 * BLOCK
"""Bytes of a string that are decoded at a time."""
NODES = 2048
"""Values that are looked at between two turns, when the strings are put back."""

NO_MARKS = bytes(set(range(256)) - set(MARKS))
"""What is left of a text without them are its marks, those within strings too."""
_LONG_NUMBER = re.compile(rb"[0-9]{%d}" % (MAX_DIGITS + 1))
_HIGH_SURROGATE = re.compile(rb"\\u[dD][89abAB]")
_decode = msgspec.json.Decoder().decode
_decode_text = msgspec.json.Decoder(str).decode
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
"""Two calls of the decoder in a row would keep others of the loop waiting twice as long."""


def decode(data: bytes | bytearray) -> Any:
    """Raises `ApiError` for what is not JSON."""
    try:
        return _decode(data)
    except RecursionError as error:
        raise not_json("nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise why_not_json(data, error) from error


class LargeJson:
    """Is fed the text from its beginning on, and then asked for its value, once."""

    def __init__(self, max_values: int) -> None:
        self._max_values = max_values
        self.missing = 0
        """Characters of strings so long that they were not kept whole: nobody may be served so."""
        self._values = self._plain = self._strings = 0
        self._tail = b""
        self._skeleton = bytearray()
        self._held = b""
        """A backslash at the end of the last block: only the next tells what it stands for."""
        self._within = False
        self._open = list[bytes]()
        self._open_size = 0
        self._decoded = list[str]()
        self._decoded_size = 0
        """Of the string that the last block ended within: what came last, and before."""
        self._cut = dict[str, str]()
        """The strings that were cut out, by what stands in their place."""
        self._mark = secrets.token_hex(12)

    async def feed(self, data: bytes) -> None:
        """Raises `ApiError`: too much of it (413), or not JSON."""
        for at in range(0, len(data), BLOCK):
            self._look(self._held + data[at : at + BLOCK])
            await asyncio.sleep(0)

    async def value(self) -> Any:
        """Raises `ApiError` for what is not JSON."""
        if self._within or self._held:
            raise not_json("the text ends within a string")
        async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            value = decode(self._skeleton)
            await asyncio.sleep(0)
        self._skeleton = bytearray()
        return await self._put_back(value) if self._cut else value

    def _look(self, block: bytes) -> None:
        """Take in a block: count its values and cut out its long strings."""
        # `plain` is as long as `block`, and each quote that is left in it begins or ends a string.
        plain = block.replace(b"\\\\", b"__")
        self._held = b"\\" if plain.endswith(b"\\") else b""
        if self._held:
            plain, block = plain[:-1], block[:-1]
        segments = plain.replace(b'\\"', b"__").split(b'"')
        self._count(segments)
        if len(segments) <= MANY_QUOTES:
            at = 0
            for number, segment in enumerate(segments):
                if number:
                    self._quote()
                self._take(block[at : at + len(segment)])
                at += len(segment) + 1
            return
        first, last = len(segments[0]), len(block) - len(segments[-1])
        self._take(block[:first])
        self._quote()
        self._skeleton += block[first if self._within else first + 1 : last - 1]
        # The quotes between the first and the last: an odd number turns the sides over.
        if self._within is (len(segments) % 2 == 1):
            self._skeleton += b'"'
            self._within = False
        else:
            self._within = True
        self._take(block[last:])

    def _count(self, segments: list[bytes]) -> None:
        outside = b"".join(segments[1 if self._within else 0 :: 2])
        self._values += len(outside.translate(None, NO_MARKS))
        self._strings += (len(segments) - self._within) // 2  # those that begin here
        self._plain += len(outside)
        if self._values > self._max_values:
            raise too_many_values(self._values, self._max_values)
        if self._plain > MAX_PLAIN_BYTES:
            raise ApiError(
                Errors.REQUEST_TOO_LARGE,
                f"the body has {self._plain} bytes or more outside of strings, "
                f"allowed: up to {MAX_PLAIN_BYTES}",
            )
        if _LONG_NUMBER.search(self._tail + outside):
            raise not_json(f"a number of more than {MAX_DIGITS} digits")
        self._tail = outside[-MAX_DIGITS:]
        if self._strings > self._values + 2:
            raise not_json("strings without a comma or a colon between them")

    def _take(self, raw: bytes) -> None:
        if not self._within:
            self._skeleton += raw
            return
        self._open.append(raw)
        self._open_size += len(raw)
        if self._open_size >= PART:
            raw = b"".join(self._open)
            end = _safe_end(raw)
            self._append(_text(raw[:end]))
            self._open, self._open_size = [raw[end:]], len(raw) - end

    def _quote(self) -> None:
        self._within = not self._within
        if self._within:
            return
        raw = b"".join(self._open)
        if self._decoded or len(raw) >= CUT:
            placeholder = f"{self._mark}{len(self._cut)}"
            self._append(_text(raw))
            self._cut[placeholder] = "".join(self._decoded)
            self._decoded, self._decoded_size = [], 0
            raw = placeholder.encode()
        self._skeleton += b'"' + raw + b'"'
        self._open, self._open_size = [], 0

    def _append(self, text: str) -> None:
        if self._decoded_size < MAX_STRING:
            self._decoded.append(text)
            self._decoded_size += sys.getsizeof(text)
        else:
            self.missing += len(text)

    async def _put_back(self, value: Any) -> Any:
        root: list[Any] = [value]
        cut, seen = self._cut, 0
        todo: list[Any] = [root]
        while todo:
            node = todo.pop()
            if isinstance(node, dict):
                for key in [key for key in node if key in cut]:
                    node[_key(cut[key])] = node.pop(key)
                    if (seen := seen + 1) % NODES == 0:
                        await asyncio.sleep(0)
            for at, item in node.items() if isinstance(node, dict) else enumerate(node):
                if isinstance(item, str):
                    if item in cut:
                        node[at] = cut[item]
                elif isinstance(item, list | dict):
                    todo.append(item)
                if (seen := seen + 1) % NODES == 0:
                    await asyncio.sleep(0)
        return root[0]


def too_many_values(count: int, most: int) -> ApiError:
    return ApiError(
        Errors.REQUEST_TOO_LARGE,
        f"the body has {count} values or more (counted by the marks , : {{ [ outside of strings), "
        f"allowed: up to {most}",
    )


def _text(raw: bytes) -> str:
    quoted = b'"' + raw + b'"'
    try:
        return _decode_text(quoted)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise why_not_json(quoted, error) from error


def _key(key: str) -> str:
    if len(key) > MAX_KEY:
        raise ApiError(
            Errors.REQUEST_TOO_LARGE,
            f"the body has a key of {len(key)} characters, allowed: up to {MAX_KEY}",
        )
    return key


def _safe_end(raw: bytes) -> int:
    """Where a part of a string may end: in no character, no escape, no pair of surrogates."""
    end, back = len(raw), 1
    while back < 4 and raw[-back] & 0xC0 == 0x80:
        back += 1
    if raw[-back] >= 0xC0:
        end -= back
    start = raw.rfind(b"\\", max(0, end - 6), end)
    if start >= 0 and _escapes(raw, start):
        end = start
        if start >= 6 and _HIGH_SURROGATE.match(raw, start - 6) and _escapes(raw, start - 6):
            end = start - 6
    return end


def _escapes(raw: bytes, at: int) -> bool:
    """Whether the backslash there is not itself escaped."""
    return (at + 1 - len(raw[: at + 1].rstrip(b"\\"))) % 2 == 1
