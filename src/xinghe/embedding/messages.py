"""What is said between the platform and a worker that makes vectors."""

from __future__ import annotations

import msgspec

from xinghe.catalog import Pooling
from xinghe.embedding.protocol import Form


class GgufSpec(msgspec.Struct, frozen=True):
    """What the worker of a GGUF file loads; `context` is the most tokens of a text."""

    weights: str
    context: int
    pooling: Pooling
    prefixes: dict[Form, str]


class Task(msgspec.Struct, frozen=True, array_like=True):
    """The texts of one request; with `max_tokens` above 0 a longer text refuses them all."""

    texts: list[str]
    form: Form
    max_tokens: int


class TooLong(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """What a `TextTooLong` says."""

    index: int
    tokens: int


class Made(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The vectors of one request, as 32-bit floats."""

    vectors: list[bytes]


Batch = list[Task]
Results = list[TooLong | Made]
"""One for each task of the batch."""
