"""The shapes of `POST /rerank`: what is encoded and what is documented."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from xinghe.api.embeddings.wire import EmbeddingUsage


class RankedDocument(msgspec.Struct):
    """A document as it was sent, but always as an object."""

    text: str


class RankedResult(msgspec.Struct):
    """`index` is that in the request's list; `relevance_score` is in [0, 1]."""

    index: int
    relevance_score: float
    document: RankedDocument | UnsetType = UNSET


class Ranking(msgspec.Struct):
    """The best documents first; equal ones in the order in which they were sent."""

    id: str
    model: str
    results: list[RankedResult]
    usage: EmbeddingUsage
