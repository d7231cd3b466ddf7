"""Any server with OpenAI's `POST /embeddings`, and perhaps `POST /rerank`, as an embedder."""

import asyncio
import base64
import math
from array import array
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import msgspec
import structlog

from xinghe.catalog import UpstreamEmbeddingDeployment
from xinghe.core import Busy
from xinghe.embedding.protocol import (
    Began,
    Embedder,
    EmbedderFailed,
    Form,
    TextTooLong,
    Vectors,
    nothing,
)
from xinghe.outbound import (
    UNREADABLE,
    AnswerTooLarge,
    CallFailed,
    Refused,
    Server,
    Unreadable,
    items,
)
from xinghe.workers import QueueFull, Slots

log = structlog.get_logger(__name__)
T = TypeVar("T")

RETRY_DELAYS = (0.2, 1.0)
"""Seconds before each further try of a server that cannot be reached or fails."""
RETRY_AFTER = 2.0
"""Seconds that a client is told to wait where the server did not say."""
MOST_BESIDES, MOST_OF_RANK = 64 * 1024, 1024
"""Bytes of an answer: what may stand around its parts, and for each document."""
MOST_OF_VECTOR = 26 * 16_384
"""Bytes: JSON has at most 24 for a float, beside its comma; no model has more dimensions."""
MOST_SENT_BACK = 4 * 1024 * 1024
_embedding = msgspec.json.Decoder(list[float] | str).decode


class _Datum(msgspec.Struct):
    """`embedding` is a list of floats, or base64 of little-endian 32-bit ones.

    It is read by `_packed`, one after the other.
    """

    embedding: msgspec.Raw
    index: int | None = None


class _Answer(msgspec.Struct):
    """`data` is an array of `_Datum`."""

    data: msgspec.Raw


class _Ranked(msgspec.Struct):
    index: int
    relevance_score: float


class _Ranking(msgspec.Struct):
    """`results` is an array of `_Ranked`."""

    results: msgspec.Raw


class UpstreamEmbedder(Embedder):
    """`count` gives the tokens of a text where the server's own tokenizer is out of reach."""

    def __init__(
        self, name: str, deployment: UpstreamEmbeddingDeployment, count: Callable[[str], int]
    ) -> None:
        self._deployment = deployment
        self.served_by = f"{name}/{deployment.model}"
        self.dimensions = 0
        self.resizable = deployment.resizable
        self.max_tokens = deployment.context
        self._server = Server.of(name, deployment)
        self._count = count
        self._prefixes: dict[Form, str] = {
            "text": "",
            "query": deployment.query_prefix,
            "passage": deployment.passage_prefix,
        }
        self._slots = Slots(deployment.slots, queue=deployment.queue)

    async def vectors(
        self,
        texts: Sequence[str],
        form: Form,
        *,
        max_tokens: int = 0,
        dimensions: int | None = None,
        began: Began = nothing,
    ) -> Vectors:
        self._check(texts, max_tokens)
        if not texts:
            return Vectors([])
        body: dict[str, Any] = {
            "model": self._deployment.model,
            "input": [self._prefixes[form] + text for text in texts],
        }
        if dimensions is not None:
            body["dimensions"] = dimensions
        most = MOST_BESIDES + len(texts) * MOST_OF_VECTOR
        answer = await self._ask("/embeddings", body, len(texts), began, _Answer, most)
        made: list[bytes] = []
        for each in _in_order(answer, len(texts)):
            made.append(_packed(each.embedding))
            # A vector at a time: all of them at once would hold the gateway up.
            await asyncio.sleep(0)
        if len({len(each) for each in made}) != 1 or not made[0]:
            raise self._failed("the vectors are empty or of several dimensions")
        if dimensions is None:
            self.dimensions = len(made[0]) // 4
        elif len(made[0]) != 4 * dimensions:
            raise self._failed(f"it made vectors of {len(made[0]) // 4} dimensions")
        return Vectors(made)

    async def embed(
        self, texts: Sequence[str], kind: Literal["query", "passage"]
    ) -> list[list[float]]:
        made = (await self.vectors(texts, kind)).floats()
        return [[x / length for x in each] if (length := math.hypot(*each)) else each
                for each in made]  # fmt: skip

    async def rank(
        self, query: str, documents: Sequence[str], *, max_tokens: int = 0, began: Began = nothing
    ) -> list[float]:
        self._check([query, *documents], max_tokens)
        if self._deployment.reranker:
            return await self._rerank(query, documents, began)
        try:
            return await super().rank(query, documents, began=began)
        except ValueError as error:
            raise self._failed(str(error)) from error

    async def ready(self) -> bool:
        return await self._server.ready()

    async def aclose(self) -> None:
        await self._server.aclose()

    async def _rerank(self, query: str, documents: Sequence[str], began: Began) -> list[float]:
        body = {
            "model": self._deployment.reranker,
            "query": query,
            "documents": list(documents),
            "top_n": len(documents),
            "return_documents": False,
        }
        # Some servers send the documents back, in JSON of up to six bytes a character.
        sent = sum(map(len, documents))
        most = MOST_BESIDES + len(documents) * MOST_OF_RANK + min(6 * sent, MOST_SENT_BACK)
        answer = await self._ask("/rerank", body, len(documents), began, _Ranking, most)
        return _scores(answer, len(documents))

    def _check(self, texts: Sequence[str], max_tokens: int) -> None:
        for index, text in enumerate(texts if max_tokens else ()):
            tokens = self._count(text)
            if tokens > max_tokens:
                raise TextTooLong(index, tokens, max_tokens)

    async def _ask(
        self, path: str, body: object, texts: int, began: Began, kind: type[T], most: int
    ) -> T:
        """Ask, and again where the server fails by itself; an answer has at most `most` bytes."""
        try:
            async with self._slots.hold(size=texts):
                began()
                for delay in (*RETRY_DELAYS, None):
                    try:
                        return await self._server.ask(path, body, kind, most)
                    except CallFailed as error:
                        self._judge(error)
                        if delay is None:
                            raise EmbedderFailed(str(error)) from None
                    await asyncio.sleep(delay)
        except QueueFull as busy:
            raise Busy(str(busy), RETRY_AFTER) from None
        raise AssertionError("unreachable")

    def _judge(self, error: CallFailed) -> None:
        """Return where another try may go through."""
        if isinstance(error, Refused) and error.busy:
            wait = RETRY_AFTER if error.advice is None else error.advice
            raise Busy(str(error), wait) from None
        if isinstance(error, AnswerTooLarge | Unreadable) or (
            isinstance(error, Refused) and error.status < 500
        ):
            raise self._failed(str(error)) from None
        log.warning("embedding_failed", served_by=self.served_by, error=str(error))

    def _failed(self, message: str) -> EmbedderFailed:
        log.error("embedding_failed", served_by=self.served_by, error=message)
        return EmbedderFailed(message)


def _in_order(answer: _Answer, texts: int) -> list[_Datum]:
    """The data by index (by position where none is given). Raises `EmbedderFailed`."""
    data = _items(answer.data, _Datum, texts)
    indices = [at if each.index is None else each.index for at, each in enumerate(data)]
    if sorted(indices) != list(range(texts)):
        raise EmbedderFailed(f"upstream answered {len(data)} vectors for {texts} texts")
    return [each for _, each in sorted(zip(indices, data, strict=True), key=lambda pair: pair[0])]


def _scores(ranking: _Ranking, documents: int) -> list[float]:
    """That of each document, in [0, 1]. Raises `EmbedderFailed`."""
    ranked = _items(ranking.results, _Ranked, documents)
    found = {each.index: each.relevance_score for each in ranked}
    if sorted(found) != list(range(documents)):
        raise EmbedderFailed("the ranking is not one of these documents")
    return [min(1.0, max(0.0, found[index])) for index in range(documents)]


def _items(raw: msgspec.Raw, kind: type[T], most: int) -> list[T]:
    try:
        return items(raw, kind, most)
    except Unreadable as error:
        raise EmbedderFailed(str(error)) from None


def _packed(raw: msgspec.Raw) -> bytes:
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
