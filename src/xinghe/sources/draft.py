"""What a source gives for a model: the table of a deployment, and what was learnt on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from xinghe.catalog import Kind
from xinghe.sources.source import SourceError
from xinghe.weights.gguf import Gguf

UPSTREAM = {
    Kind.CHAT: "upstream", Kind.EMBEDDING: "upstream-embedding", Kind.IMAGE: "upstream-images",
}  # fmt: skip
"""The engine of a model of each kind that a server has."""

LEAST, MOST = 128, 100_000_000
"""Tokens: a context that is told and is outside of these is none."""

Say = Callable[[str], None]
"""Told a line at a time of what was found and what is done."""


def believed(context: object) -> int:
    """A context that a server tells, in tokens; 0 where no model has such a one."""
    if isinstance(context, float) and context.is_integer():  # some write all numbers so
        context = int(context)
    if not isinstance(context, int) or isinstance(context, bool):
        return 0
    return context if LEAST <= context <= MOST else 0


@asynccontextmanager
async def in_time(origin: str, limit: float) -> AsyncIterator[None]:
    """Raises `SourceError` where a server does not say within so many seconds what it has."""
    try:
        async with asyncio.timeout(limit):
            yield
    except TimeoutError:
        raise SourceError(
            f"{origin} did not say within {limit:g} s which models it has (--try-timeout)"
        ) from None


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
