"""The embedders at work, and what one of them lets a model's texts be."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from xinghe.catalog import ModelCard
from xinghe.embedding import Embedder


class EmbeddingLimits(msgspec.Struct, frozen=True):
    """Of one text, but for `texts`; `bound_by` names whose token limit is the smaller one."""

    texts: int
    characters: int
    tokens: int
    bound_by: str


def effective(card: ModelCard, embedder: Embedder) -> EmbeddingLimits:
    """The smaller of the card's limits and the engine's; 0 is none."""
    served, own = embedder.max_tokens, card.max_input
    bound_by = "deployment" if served and (not own or served < own) else "model"
    return EmbeddingLimits(
        texts=card.max_texts,
        characters=card.max_characters,
        tokens=served if bound_by == "deployment" else own,
        bound_by=bound_by,
    )


class Embedders:
    """All embedders by the name of their deployment."""

    def __init__(self, by_name: Mapping[str, Embedder]) -> None:
        self._by_name = by_name

    def of(self, card: ModelCard) -> Embedder:
        return self._by_name[card.deployment]

    async def aclose(self) -> None:
        await asyncio.gather(*(embedder.aclose() for embedder in self._by_name.values()))
