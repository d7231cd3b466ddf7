"""Results of vetting, the latest used, within so many bytes."""

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


class Cache(msgspec.Struct):
    """At most `size` bytes of results."""

    size: int
    held: int = 0
    """Bytes."""
    results: OrderedDict[bytes, tuple[Result, int, float]] = msgspec.field(
        default_factory=OrderedDict
    )
    """Each with its size, and the time until which it holds."""

    def get(self, key: bytes) -> Result | None:
        found, _, until = self.results.get(key, (None, 0, 0.0))
        if found is None:
            return None
        if time.monotonic() > until:
            self._drop(key)
            return None
        self.results.move_to_end(key)
        return found

    def put(self, key: bytes, result: Result, seconds: float = math.inf) -> None:
        """Keep a result that holds for so many seconds."""
        self._drop(key)
        size = ENTRY + len(msgspec.msgpack.encode(result))
        self.results[key] = result, size, time.monotonic() + seconds
        self.held += size
        while self.held > self.size:
            self._drop(next(iter(self.results)))

    def _drop(self, key: bytes) -> None:
        if key in self.results:
            self.held -= self.results.pop(key)[1]
