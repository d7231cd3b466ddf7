"""Events that are no JSON, as servers send them, or say nothing in an unforeseen way."""

import re
from typing import Any

import msgspec

from xinghe.engines.fields import says_nothing
from xinghe.outbound import decoded

_HIGH_HALF = re.compile(rb"(?<!\\)\\u[dD][89abAB][0-9a-fA-F]{2}(?=\")")
_LOW_HALF = re.compile(rb"(?<=\")\\u[dD][c-fC-F][0-9a-fA-F]{2}")
"""The halves of a character that two events share, as JSON escapes."""
_STRING_OR_NOTHING = re.compile(
    rb'"(?:[^"\\]++|\\.)*+"?|-?(?:NaN|Infinity)|\[\s*\]|\{\s*\}|false', re.DOTALL
)
MOST_LOOKED_AT = 4096
"""Bytes of what may be an error, or may say nothing."""
_COMPLAINTS = ("message", "msg", "detail", "code", "base_resp")
"""Where what is no chunk says that something went wrong; beside words that begin with `error`."""
_FINE = frozenset({"0", "200", "ok", "success"})
MOST_MENDED = 32 * 1024
"""Bytes of an event that is looked through: 5 ms at the worst."""


def mended(event: bytes, half: bytes) -> tuple[bytes, bytes]:
    """The event as far as it can be made readable, and the half character that it ends in.

    `half` is the one that the event before ended in. NaN mostly stands in a field that nobody
    reads, but nothing of the event can be decoded for it. What is empty means null: to PHP an
    empty object is an array, to Lua an empty array an object.
    """
    if half:
        event = _LOW_HALF.sub(lambda low: half + low[0], event, count=1)
    halves = _HIGH_HALF.findall(event)
    event = _HIGH_HALF.sub(b"", event)
    if len(event) <= MOST_MENDED:
        event = _STRING_OR_NOTHING.sub(_readable, event)
    return event, halves[-1] if halves else b""


def _readable(found: re.Match[bytes]) -> bytes:
    is_text = found[0][:1] == b'"' and found[0] != b'""'
    is_name = found.string[found.end() : found.end() + 8].lstrip()[:1] == b":"
    return found[0] if is_text or is_name else b"null"


def is_blank(error: msgspec.Raw) -> bool:
    """Whether an error is none: some send its fields, empty, with each chunk."""
    if says_nothing(error) or bytes(error) == b"0":
        return True
    if bytes(error)[:1] != b"{" or len(bytes(error)) > MOST_LOOKED_AT:
        return False
    return not any(decoded(error, dict[str, Any]).values())


def complains(event: bytes) -> bool:
    """Whether what is no chunk may be an error."""
    if len(event) > MOST_LOOKED_AT:
        return True
    kind: Any = dict[str, Any] | None
    said = decoded(event, kind) or {}
    names = [name for name in said if name in _COMPLAINTS or name.startswith("error")]
    return not all(_is_fine(said[name]) for name in names)


def _is_fine(said: Any) -> bool:
    code = said.get("status_code", said) if isinstance(said, dict) else said
    return not code or str(code).lower() in _FINE
