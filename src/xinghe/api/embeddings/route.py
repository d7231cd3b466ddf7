"""`POST /embeddings`, and what it has in common with `POST /rerank`: texts of a known price."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import msgspec

from xinghe.api.dialect import Dialect
from xinghe.api.embeddings.schema import (
    EMBEDDINGS,
    FORMS,
    EmbeddingLimits,
    EmbeddingList,
    EmbeddingUsage,
    as_data,
    read_dimensions,
    read_texts,
    text_limits,
    tokens_too_long,
)
from xinghe.api.exchange import Exchange
from xinghe.api.priced import Price, charged
from xinghe.api.services import Services
from xinghe.api.validation import Form, Request, read_asked, tell_ignored
from xinghe.catalog import Kind, ModelCard
from xinghe.core import Meter
from xinghe.embedding import Embedder, TextTooLong, Vectors
from xinghe.engines.prompts import estimated_tokens

R = TypeVar("R", bound=Request)
T = TypeVar("T")
Began = Callable[[], None]
"""Is called when an engine begins: from then on a client that leaves owes the price."""


class Begun(msgspec.Struct, Generic[R], frozen=True):
    """A request that is valid, and who would serve its model."""

    request: R
    card: ModelCard
    embedder: Embedder
    limits: EmbeddingLimits


async def begin(form: Form[R], exchange: Exchange, services: Services) -> Begun[R]:
    """Read the body and find its model, which may be left out. Raises `ApiError`."""
    catalog, server = services.catalog, services.settings.server
    asked, card = await read_asked(form, Kind.EMBEDDING, exchange, catalog, server)
    if asked.ignored:
        tell_ignored(exchange, asked.ignored)
    embedder = services.deployments.embedder(card)
    exchange.add_header("x-served-by", embedder.served_by)
    return Begun(asked.checked(), card, embedder, text_limits(card, embedder))


class TextWork(Generic[T]):
    """Work on texts, as `priced.Operation` describes it; its price is known before it begins.

    `tokens` is the source's estimate over all texts; at least 1, since signs of other scripts
    count none.
    """

    stream = False

    def __init__(
        self, card: ModelCard, texts: list[str], engine: Callable[[Began], Awaitable[T]]
    ) -> None:
        self.card = card
        self.tokens = max(1, estimated_tokens("\n".join(texts)))
        self.meter = Meter()
        self._engine = engine

    @property
    def used(self) -> int:
        return self.meter.prompt_tokens

    async def prepare(self) -> Price:
        """Texts are not moderated: what comes of them is numbers."""
        return Price(self.card.rate.cost(self.tokens, 0), self.tokens)

    async def work(self) -> T:
        result = await self._engine(self._began)
        self.meter.prompt_tokens = self.tokens
        self.meter.finished = True
        return result

    def _began(self) -> None:
        self.meter.started = True
        self.meter.prompt_tokens = self.tokens


class EmbeddingsRoute:
    """Reads texts, and sends their vectors."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, exchange: Exchange) -> None:
        begun = await begin(EMBEDDINGS, exchange, self._services)
        request, embedder, limits = begun.request, begun.embedder, begun.limits
        texts, dimensions = read_texts(request, limits), read_dimensions(request, embedder)

        async def embed(began: Began) -> Vectors:
            return await embedder.vectors(
                texts,
                FORMS[request.input_type] if request.input_type else "text",
                max_tokens=limits.tokens,
                dimensions=dimensions,
                began=began,
            )

        work = TextWork(begun.card, texts, embed)
        try:
            vectors = await charged(self._services, exchange, work)
        except TextTooLong as error:
            field = f"input[{error.index}]" if isinstance(request.input, list) else "input"
            raise tokens_too_long(field, error, limits) from error
        answer = EmbeddingList(
            object="embedding_list" if exchange.dialect is Dialect.DOCUMENTED else "list",
            data=as_data(vectors, request.encoding_format == "base64"),
            model=exchange.model,
            usage=EmbeddingUsage(work.tokens, work.tokens),
        )
        if exchange.dialect is Dialect.DOCUMENTED:
            answer.id, answer.created = exchange.request_id, exchange.created
        await exchange.send_json(answer)
