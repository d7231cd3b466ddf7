"""What servers with `POST /embeddings` and `POST /rerank` answer."""

from __future__ import annotations

import base64
import math
from array import array
from typing import TypeVar

import msgspec

from xinghe.embedding.protocol import EmbedderFailed
from xinghe.outbound import UNREADABLE, Unreadable, items

T = TypeVar("T")


class Datum(msgspec.Struct):
    """`embedding` is a list of floats, or base64 of little-endian 32-bit ones.

    It is read by `packed`, one after the other.
    """

    embedding: msgspec.Raw
    index: int | None = None


_embedding = msgspec.json.Decoder(list[float] | str).decode


class Answer(msgspec.Struct):
    """`data` is an array of `Datum`."""

    data: msgspec.Raw


class Ranked(msgspec.Struct):
    index: int
    relevance_score: float


class Ranking(msgspec.Struct):
    """`results` is an array of `Ranked`."""

    results: msgspec.Raw


def in_order(answer: Answer, texts: int) -> list[Datum]:
    """The data by index (by position where none is given). Raises `EmbedderFailed`."""
    data = _items(answer.data, Datum, texts)
    indices = [at if each.index is None else each.index for at, each in enumerate(data)]
    if sorted(indices) != list(range(texts)):
        raise EmbedderFailed(f"upstream answered {len(data)} vectors for {texts} texts")
    return [each for _, each in sorted(zip(indices, data, strict=True), key=lambda pair: pair[0])]


def scores(ranking: Ranking, documents: int) -> list[float]:
    """That of each document, in [0, 1]. Raises `EmbedderFailed`."""
    ranked = _items(ranking.results, Ranked, documents)
    found = {each.index: each.relevance_score for each in ranked}
    if sorted(found) != list(range(documents)):
        raise EmbedderFailed("the ranking is not one of these documents")
    return [min(1.0, max(0.0, found[index])) for index in range(documents)]


def _items(raw: msgspec.Raw, kind: type[T], most: int) -> list[T]:
    try:
        return items(raw, kind, most)
    except Unreadable as error:
        raise EmbedderFailed(str(error)) from None


def packed(raw: msgspec.Raw) -> bytes:
    """Little-endian 32-bit floats. Raises `EmbedderFailed`."""
    try:
        embedding = _embedding(raw)
    except UNREADABLE:
        raise EmbedderFailed("upstream's vector has not the documented form") from None
    if isinstance(embedding, str):
        try:
            data = base64.b64decode(embedding, validate=True)
        except ValueError:
            raise EmbedderFailed("upstream's base64 is broken") from None
        if len(data) % 4:
            raise EmbedderFailed("upstream's base64 is not made of 32-bit floats")
        values = array("f", data)
    else:
        try:
            values = array("f", embedding)
        except OverflowError:
            raise EmbedderFailed("upstream's floats do not fit into 32 bits") from None
    if not all(map(math.isfinite, values)):
        raise EmbedderFailed("upstream's vectors are not finite")
    return values.tobytes()
