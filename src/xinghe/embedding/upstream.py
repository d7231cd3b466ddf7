"""Any server with OpenAI's `POST /embeddings`, and perhaps `POST /rerank`, as an embedder."""

from __future__ import annotations

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
    EmbedderAway,
    EmbedderFailed,
    Form,
    TextTooLong,
    Vectors,
)
from xinghe.outbound import (
    PAUSES,
    RETRY_AFTER,
    Broken,
    CallFailed,
    Refused,
    Silent,
    Unreadable,
    Whose,
    decoded,
    items,
)
from xinghe.outbound.replicas import Away, Pool, ServerState
from xinghe.workers import QueueFull, Slots

log = structlog.get_logger(__name__)
T = TypeVar("T")

MOST_BESIDES, MOST_OF_RANK = 64 * 1024, 1024
"""Bytes of an answer: what may stand around its parts, and for each document."""
MOST_OF_VECTOR = 26 * 16_384
"""Bytes: JSON has at most 24 for a float, beside its comma; no model has more dimensions."""
MOST_SENT_BACK = 4 * 1024 * 1024
ROUNDED = 1e-3
"""How far a score may lie outside [0, 1] that is meant to lie within: floats are short."""


class _Datum(msgspec.Struct):
    """`embedding` is a list of floats, or base64 of little-endian 32-bit ones.

    It is read by `_packed`, one after the other.
    """

    embedding: msgspec.Raw
    index: float | None = None


class _Only(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """A vector in a list of its own, as llama.cpp has it for each token, or for all."""

    vector: msgspec.Raw


class _Answer(msgspec.Struct):
    """`data` is an array of `_Datum`."""

    data: msgspec.Raw


class _Ranked(msgspec.Struct):
    """SGLang calls it `score`."""

    index: float
    relevance_score: float | None = None
    score: float | None = None


class _Ranking(msgspec.Struct):
    """`results` is an array of `_Ranked`; SGLang sends that alone."""

    results: msgspec.Raw


class UpstreamEmbedder(Embedder):
    """`count` gives the tokens of a text where the server's own tokenizer is out of reach.

    `before` served the deployment until it was changed: slots and servers are the same.
    """

    def __init__(
        self,
        name: str,
        deployment: UpstreamEmbeddingDeployment,
        count: Callable[[str], int],
        before: UpstreamEmbedder | None = None,
    ) -> None:
        self._deployment = deployment
        self.served_by = f"{name}/{deployment.model}"
        self.dimensions = 0
        self.resizable = deployment.resizable
        self.reranks = bool(deployment.reranker)
        self.max_tokens = deployment.context
        self.batch = deployment.batch
        self._pool: Pool = Pool(name, deployment, before._pool if before else None)
        self._count = count
        self._prefixes: dict[Form, str] = {
            "text": "",
            "query": deployment.query_prefix,
            "passage": deployment.passage_prefix,
        }
        places, queue = self._pool.capacity, deployment.queue
        self._slots: Slots = before._slots if before else Slots(places, queue=queue)
        self._slots.bound(queue=queue)
        self._slots.resize(places)
        self._pool.on_resize(self._slots.resize)

    async def vectors(
        self,
        texts: Sequence[str],
        form: Form,
        *,
        max_tokens: int = 0,
        dimensions: int | None = None,
        began: Began | None = None,
    ) -> Vectors:
        self._check(texts, max_tokens)
        made: list[bytes] = []
        for at in range(0, len(texts), self.batch):
            part = texts[at : at + self.batch]
            try:
                made += await self._made(part, form, dimensions, began)
            except TextTooLong as error:
                raise error.behind(at) from None
        if not made:
            return Vectors([])
        if len({len(each) for each in made}) != 1 or not made[0]:
            raise self._failed("the vectors are empty or of several dimensions")
        if dimensions is None:
            self.dimensions = len(made[0]) // 4
        elif len(made[0]) != 4 * dimensions:
            raise self._failed(f"it made vectors of {len(made[0]) // 4} dimensions")
        return Vectors(made)

    async def _made(
        self,
        texts: Sequence[str],
        form: Form,
        dimensions: int | None,
        began: Began | None,
    ) -> list[bytes]:
        """The vectors of one call."""
        body: dict[str, Any] = {
            "model": self._deployment.model,
            "input": [self._prefixes[form] + text for text in texts],
        }
        if dimensions is not None:
            body["dimensions"] = dimensions
        most = MOST_BESIDES + len(texts) * MOST_OF_VECTOR
        answer = await self._ask("/embeddings", body, texts, began, _Answer, most)
        made: list[bytes] = []
        try:
            for each in _in_order(answer, len(texts)):
                made.append(_packed(each.embedding))
                # A vector at a time: all of them at once would hold the gateway up.
                await asyncio.sleep(0)
        except Unreadable as error:
            raise self._failed(str(error)) from None
        return made

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> list[bytes]:
        try:
            return (await self.vectors(texts, kind)).data
        except TextTooLong as error:
            raise self._failed(str(error)) from error

    async def rank(
        self,
        query: str,
        documents: Sequence[str],
        *,
        max_tokens: int = 0,
        began: Began | None = None,
    ) -> list[float]:
        self._check([query, *documents], max_tokens)
        if self._deployment.reranker:
            return await self._rerank(query, documents, began)
        try:
            return await super().rank(query, documents, began=began)
        except ValueError as error:
            raise self._failed(str(error)) from error

    @property
    def servers(self) -> list[ServerState]:
        """How each of its servers is."""
        return self._pool.servers

    async def ready(self) -> bool:
        return await self._pool.ready()

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def _rerank(
        self, query: str, documents: Sequence[str], began: Began | None
    ) -> list[float]:
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
        texts = [query, *documents]
        answer = await self._ask("/rerank", body, texts, began, msgspec.Raw, most)
        try:
            return _scores(answer, len(documents))
        except Unreadable as error:
            raise self._failed(str(error)) from None

    def _check(self, texts: Sequence[str], max_tokens: int) -> None:
        if not max_tokens:
            return
        counts = enumerate(map(self._count, texts))
        long = {at: tokens for at, tokens in counts if tokens > max_tokens}
        if long:
            raise TextTooLong(long, max_tokens)

    async def _ask(
        self,
        path: str,
        body: object,
        texts: Sequence[str],
        began: Began | None,
        kind: type[T],
        most: int,
    ) -> T:
        """Ask one of its servers; an answer has at most `most` bytes."""
        tokens = sum(map(self._count, texts)) if self._pool.counts_tokens else 0
        try:
            async with self._slots.hold(size=len(texts)):
                if began is not None:
                    began()
                for attempt in self._pool.attempts(tokens=tokens, pauses=PAUSES):
                    async with attempt:
                        return await attempt.ask(path, body, kind, most)
        except CallFailed as error:
            raise self._as_embedder_error(texts, error) from None
        except QueueFull as busy:
            raise Busy(str(busy), RETRY_AFTER) from None
        raise AssertionError("unreachable")

    def _as_embedder_error(self, texts: Sequence[str], error: CallFailed) -> Exception:
        """It does not say which text is too long."""
        if isinstance(error, Refused) and error.whose is Whose.FULL:
            return Busy(str(error), RETRY_AFTER if error.advice is None else error.advice)
        if isinstance(error, Refused) and error.too_long:
            tokens, at = max((self._count(text), at) for at, text in enumerate(texts))
            return TextTooLong({at: tokens}, 0)
        if error.whose is Whose.OPERATOR:  # which the log has told
            return EmbedderFailed(str(error))
        if error.whose is not Whose.AWAY and not isinstance(error, Silent | Broken):
            return self._failed(str(error))
        log.warning("embedding_failed", served_by=self.served_by, error=str(error))
        wait = error.retry_after if isinstance(error, Away) else RETRY_AFTER
        return EmbedderAway(str(error), wait)

    def _failed(self, message: str) -> EmbedderFailed:
        log.error("embedding_failed", served_by=self.served_by, error=message)
        return EmbedderFailed(message)


def _in_order(answer: _Answer, texts: int) -> list[_Datum]:
    """The data by index (by position where none is given). Raises `Unreadable`."""
    data = items(answer.data, _Datum, texts)
    indices = [at if each.index is None else each.index for at, each in enumerate(data)]
    if sorted(indices) != list(range(texts)):
        raise Unreadable(f"it answered {len(data)} vectors for {texts} texts")
    return [each for _, each in sorted(zip(indices, data, strict=True), key=lambda pair: pair[0])]


def _scores(ranking: msgspec.Raw, documents: int) -> list[float]:
    """That of each document, in [0, 1]. Raises `Unreadable`."""
    if bytes(ranking)[:1] != b"[":
        ranking = decoded(ranking, _Ranking).results
    found = dict[float, float]()
    for each in items(ranking, _Ranked, documents):
        score = each.score if each.relevance_score is None else each.relevance_score
        if score is not None:
            found[each.index] = score
    if sorted(found) != list(range(documents)):
        raise Unreadable("the ranking is not one of these documents")
    scores = [found[index] for index in range(documents)]
    if all(-ROUNDED <= score <= 1 + ROUNDED for score in scores):
        return [min(max(score, 0.0), 1.0) for score in scores]
    # Some servers (llama.cpp) give what the model says, which a curve takes into that range.
    return [(1 + math.tanh(score / 2)) / 2 for score in scores]


def _packed(raw: msgspec.Raw) -> bytes:
    """Little-endian 32-bit floats. Raises `Unreadable`."""
    if bytes(raw)[:1] == b'"':
        try:
            data = base64.b64decode(decoded(raw, str), validate=True)
        except ValueError:
            raise Unreadable("its base64 is broken") from None
        if len(data) % 4:
            raise Unreadable("its base64 is not made of 32-bit floats")
        values = array("f", data)
    else:
        if b"".join(bytes(raw)[:16].split())[:2] == b"[[":
            raw = decoded(raw, _Only).vector
        try:
            values = array("f", decoded(raw, list[float]))
        except OverflowError:
            raise Unreadable("its floats do not fit into 32 bits") from None
    if not all(map(math.isfinite, values)):
        raise Unreadable("its vectors are not finite")
    return values.tobytes()
