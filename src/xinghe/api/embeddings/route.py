"""`POST /embeddings`: the way of a request for vectors through the rooms, in order."""

from __future__ import annotations

import time
from collections.abc import Callable

from xinghe.api.body import read_json_object
from xinghe.api.dialect import Dialect
from xinghe.api.embeddings.prepaid import prepaid
from xinghe.api.embeddings.request import DEFAULT_MODEL, read_request, tokens_too_long
from xinghe.api.embeddings.stations import Embedders, effective
from xinghe.api.embeddings.wire import EmbeddingList, EmbeddingUsage, as_data
from xinghe.api.exchange import Exchange
from xinghe.api.ignored import tell_ignored
from xinghe.api.select import select_model
from xinghe.catalog.card import Kind
from xinghe.catalog.load import Catalog
from xinghe.embedding import TextTooLong, Vectors
from xinghe.engines.estimate import estimated_tokens
from xinghe.ledger import Ledger
from xinghe.limits import Limiter
from xinghe.settings import Server


class EmbeddingsRoute:
    """Validate, limit, reserve, embed, settle."""

    def __init__(
        self,
        catalog: Catalog,
        embedders: Embedders,
        ledger: Ledger,
        limiter: Limiter,
        server: Server,
    ) -> None:
        self._catalog = catalog
        self._embedders = embedders
        self._ledger = ledger
        self._limiter = limiter
        self._server = server

    async def __call__(self, exchange: Exchange) -> None:
        server = self._server
        body = await read_json_object(exchange, server.max_body_bytes, server.body_timeout)
        exchange.body_read_at = time.perf_counter()
        if body.get("model") is None:
            body["model"] = DEFAULT_MODEL
        name, card = select_model(body, self._catalog, Kind.EMBEDDING, exchange.require())
        exchange.model = name
        embedder = self._embedders.of(card)
        limits = effective(card, embedder)
        request = read_request(body, limits, embedder)
        tell_ignored(exchange, request.ignored)
        exchange.add_header("x-served-by", embedder.served_by)
        tokens = charged_tokens(request.texts)

        async def work(began: Callable[[], None]) -> Vectors:
            return await embedder.vectors(
                request.texts,
                request.form,
                max_tokens=limits.tokens,
                dimensions=request.dimensions,
                began=began,
            )

        try:
            vectors = await prepaid(exchange, card, tokens, self._ledger, self._limiter, work)
        except TextTooLong as error:
            field = f"input[{error.index}]" if isinstance(body["input"], list) else "input"
            raise tokens_too_long(field, error, limits) from error
        answer = EmbeddingList(
            object="embedding_list" if exchange.dialect is Dialect.DOCUMENTED else "list",
            data=as_data(vectors, request.base64),
            model=name,
            usage=EmbeddingUsage(tokens, tokens),
        )
        if exchange.dialect is Dialect.DOCUMENTED:
            answer.id, answer.created = exchange.request_id, exchange.created
        await exchange.send_json(answer)


def charged_tokens(texts: list[str]) -> int:
    """The source's estimate over all texts; at least 1, since signs of other scripts count none."""
    return max(1, estimated_tokens("\n".join(texts)))
