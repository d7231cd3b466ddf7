"""What search asks of an embedding engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol


class Embedder(Protocol):
    """Texts as vectors whose cosine tells how near their meanings are."""

    async def embed(
        self, texts: Sequence[str], kind: Literal["query", "passage"]
    ) -> list[list[float]]:
        """One vector a text, all of one length."""
        ...
