"""What a source gives for a model: the table of a deployment, and what was learnt on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from xinghe.catalog import Kind
from xinghe.weights.gguf import Gguf

UPSTREAM = {
    Kind.CHAT: "upstream", Kind.EMBEDDING: "upstream-embedding", Kind.IMAGE: "upstream-images",
}  # fmt: skip
"""The engine of a model of each kind that a server has."""

Say = Callable[[str], None]
"""Told a line at a time of what was found and what is done."""


class Key(msgspec.Struct, frozen=True):
    """What opens a server: the name of a variable, or a key that was asked for."""

    variable: str = ""
    value: str = ""

    @property
    def fields(self) -> dict[str, str]:
        """Of a deployment's table."""
        if self.variable:
            return {"key_env": self.variable}
        return {"key": self.value} if self.value else {}


class Draft(msgspec.Struct):
    """A deployment to be; `shown` is what people are told of where it comes from.

    `context` is what was learnt of it, in tokens (0: nothing); `gguf` is its model file.
    """

    table: dict[str, Any]
    shown: str
    context: int = 0
    gguf: Gguf | None = None
