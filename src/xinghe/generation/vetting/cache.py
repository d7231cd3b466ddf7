"""Results of vetting, the latest used, within so many bytes."""

from __future__ import annotations

import hashlib
import math
import time
from collections import OrderedDict
from importlib.metadata import version

import msgspec

from xinghe.generation.vetting import wire

Result = wire.Formed | wire.Planned | wire.Refused
COMPILERS = ",".join(f"{name} {version(name)}" for name in ("llguidance", "jsonschema_rs"))
ENTRY = 500
"""Bytes that an entry takes beside its texts."""


def key_of(work: wire.Form | wire.Functions) -> bytes:
    """All that a result depends on: use, schema, lengths, and the compilers' versions."""
    return hashlib.sha256(COMPILERS.encode() + msgspec.msgpack.encode(work)).digest()


class Cache:
    """At most `size` bytes of results."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.held = 0
        """Bytes."""
        self._results: OrderedDict[bytes, tuple[Result, int, float]] = OrderedDict()
        """With its size, and the time until which it holds."""

    def get(self, key: bytes) -> Result | None:
        found, _, until = self._results.get(key, (None, 0, 0.0))
        if found is None:
            return None
        if time.monotonic() > until:
            self._drop(key)
            return None
        self._results.move_to_end(key)
        return found

    def put(self, key: bytes, result: Result, seconds: float = math.inf) -> None:
        """Keep a result that holds for so many seconds."""
        self._drop(key)
        size = ENTRY + len(msgspec.msgpack.encode(result))
        self._results[key] = result, size, time.monotonic() + seconds
        self.held += size
        while self.held > self._size:
            self._drop(next(iter(self._results)))

    def _drop(self, key: bytes) -> None:
        if key in self._results:
            self.held -= self._results.pop(key)[1]
