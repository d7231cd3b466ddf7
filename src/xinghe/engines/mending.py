"""Events that are no JSON, as servers send them, or say nothing in an unforeseen way."""

import re

_HIGH_HALF = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?=\")")
_LOW_HALF = re.compile(rb"(?<=\")\\u[dD][c-fC-F][0-9a-fA-F]{2}")
"""The halves of a character that two events share, as JSON escapes."""
_STRING_OR_NOTHING = re.compile(
    rb'"(?:[^"\\]++|\\.)*+"?|-?(?:NaN|Infinity)|\[\s*\]|\{\s*\}|false', re.DOTALL
)
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
