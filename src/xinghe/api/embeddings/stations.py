"""What a model and the embedder that serves it let texts be."""

from __future__ import annotations

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
