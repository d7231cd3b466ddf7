"""Results of vetting, the latest used, within so many bytes."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from importlib.metadata import version

import msgspec

from xinghe.generation.vetting.wire import Form, Formed, Functions, Planned, Refused

Result = Formed | Planned | Refused
COMPILERS = ",".join(f"{name} {version(name)}" for name in ("llguidance", "jsonschema_rs"))
ENTRY = 500
"""Bytes that an entry takes beside its texts."""


def key_of(work: Form | Functions) -> bytes:
    """All that a result depends on: use, schema, lengths, and the compilers' versions."""
    return hashlib.sha256(COMPILERS.encode() + msgspec.msgpack.encode(work)).digest()


class Cache:
    """At most `size` bytes of results."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held = 0
        self._results: OrderedDict[bytes, Result] = OrderedDict()

    @property
    def held(self) -> int:
        """Bytes."""
        return self._held

    def get(self, key: bytes) -> Result | None:
        found = self._results.get(key)
        if found is not None:
            self._results.move_to_end(key)
        return found

    def put(self, key: bytes, result: Result) -> None:
        if key in self._results:
            self._held -= _size(self._results.pop(key))
        self._results[key] = result
        self._held += _size(result)
        while self._held > self._size:
            _, oldest = self._results.popitem(last=False)
            self._held -= _size(oldest)


def _size(result: Result) -> int:
    return ENTRY + len(msgspec.msgpack.encode(result))
