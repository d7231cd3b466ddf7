"""Any server with OpenAI's `POST /embeddings` as an embedder."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import structlog

from xinghe.catalog import UpstreamEmbeddingDeployment
from xinghe.embedding.protocol import (
    EmbedderBusy,
    EmbedderFailed,
    Form,
    TextTooLong,
    Vectors,
)
from xinghe.embedding.similarity import similarity
from xinghe.embedding.wire import Answer, Ranking, in_order, packed, scores
from xinghe.outbound import AnswerTooLarge, CallFailed, Refused, Server, Unreadable
from xinghe.workers import Slots, WorkerBusy

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


class UpstreamEmbedder:
    """`count` gives the tokens of a text where the server's own tokenizer is out of reach."""

    def __init__(
        self, name: str, deployment: UpstreamEmbeddingDeployment, count: Callable[[str], int]
    ) -> None:
        self._deployment = deployment
        self._served_by = f"{name}/{deployment.model}"
        self._server = Server.of(deployment)
        self._count = count
        self._prefixes: dict[Form, str] = {
            "text": "",
            "query": deployment.query_prefix,
            "passage": deployment.passage_prefix,
        }
        self._dimensions = 0
        self._slots = Slots(deployment.slots, queue=deployment.queue)

    @property
    def served_by(self) -> str:
        return self._served_by

    @property
    def dimensions(self) -> int:
        return self._dimensions

    @property
    def resizable(self) -> bool:
        return self._deployment.resizable

    @property
    def max_tokens(self) -> int:
        return self._deployment.context

    async def vectors(
        self,
        texts: Sequence[str],
        form: Form,
        *,
        max_tokens: int = 0,
        dimensions: int | None = None,
        began: Callable[[], None] = lambda: None,
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
        answer = await self._ask("/embeddings", body, len(texts), began, Answer, most)
        made: list[bytes] = []
        for each in in_order(answer, len(texts)):
            made.append(packed(each.embedding))
            # A vector at a time: all of them at once would hold the gateway up.
            await asyncio.sleep(0)
        if len({len(each) for each in made}) != 1 or not made[0]:
            raise self._failed("the vectors are empty or of several dimensions")
        if dimensions is None:
            self._dimensions = len(made[0]) // 4
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
        self,
        query: str,
        documents: Sequence[str],
        *,
        max_tokens: int = 0,
        began: Callable[[], None] = lambda: None,
    ) -> list[float]:
        self._check([query, *documents], max_tokens)
        if self._deployment.reranker:
            return await self._rerank(query, documents, began)
        asked = await self.vectors([query], "query", began=began)
        found = await self.vectors(documents, "passage")
        try:
            return [similarity(asked.data[0], each) for each in found.data]
        except ValueError as error:
            raise self._failed(str(error)) from error

    async def ready(self) -> bool:
        return await self._server.ready()

    async def aclose(self) -> None:
        await self._server.aclose()

    async def _rerank(
        self, query: str, documents: Sequence[str], began: Callable[[], None]
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
        answer = await self._ask("/rerank", body, len(documents), began, Ranking, most)
        return scores(answer, len(documents))

    def _check(self, texts: Sequence[str], max_tokens: int) -> None:
        for index, text in enumerate(texts if max_tokens else ()):
            tokens = self._count(text)
            if tokens > max_tokens:
                raise TextTooLong(index, tokens, max_tokens)

    async def _ask(
        self,
        path: str,
        body: object,
        texts: int,
        began: Callable[[], None],
        kind: type[T],
        most: int,
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
        except WorkerBusy as busy:
            raise EmbedderBusy(str(busy), RETRY_AFTER) from None
        raise AssertionError("unreachable")

    def _judge(self, error: CallFailed) -> None:
        """Return where another try may go through."""
        if isinstance(error, Refused) and error.busy:
            wait = RETRY_AFTER if error.advice is None else error.advice
            raise EmbedderBusy(str(error), wait) from None
        if isinstance(error, AnswerTooLarge | Unreadable) or (
            isinstance(error, Refused) and error.status < 500
        ):
            raise self._failed(str(error)) from None
        log.warning("embedding_failed", served_by=self._served_by, error=str(error))

    def _failed(self, message: str) -> EmbedderFailed:
        log.error("embedding_failed", served_by=self._served_by, error=message)
        return EmbedderFailed(message)
