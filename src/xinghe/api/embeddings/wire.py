"""The shapes of `POST /embeddings` (section 4.3.3): what is encoded and what is documented."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from xinghe.embedding import Vectors


class EmbeddingUsage(msgspec.Struct):
    """By the source's own estimate."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingData(msgspec.Struct):
    """`embedding`: floats, or the base64 of little-endian 32-bit floats."""

    object: Literal["embedding"]
    embedding: list[float] | str
    index: int


class EmbeddingList(msgspec.Struct):
    """The answer; `id` and `created` at the documented mount only."""

    object: Literal["embedding_list", "list"]
    data: list[EmbeddingData]
    model: str
    usage: EmbeddingUsage
    id: str | UnsetType = UNSET
    created: int | UnsetType = UNSET


def as_data(vectors: Vectors, encoded: bool) -> list[EmbeddingData]:
    """The vectors as they are sent: `encoded` in base64."""
    shown: Sequence[str | list[float]] = (
        [base64.b64encode(each).decode("ascii") for each in vectors.data]
        if encoded
        else vectors.floats()
    )
    return [EmbeddingData("embedding", each, index) for index, each in enumerate(shown)]
