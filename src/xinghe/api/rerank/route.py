"""`POST /rerank`: documents in the order in which they answer a query."""

from __future__ import annotations

import time
from collections.abc import Callable

from xinghe.api.body import read_json_object
from xinghe.api.embeddings.prepaid import prepaid
from xinghe.api.embeddings.request import DEFAULT_MODEL, tokens_too_long
from xinghe.api.embeddings.route import charged_tokens
from xinghe.api.embeddings.stations import Embedders, effective
from xinghe.api.embeddings.wire import EmbeddingUsage
from xinghe.api.exchange import Exchange
from xinghe.api.ignored import tell_ignored
from xinghe.api.rerank.request import RerankRequest, read_request
from xinghe.api.rerank.wire import RankedDocument, RankedResult, Ranking
from xinghe.api.select import select_model
from xinghe.catalog.card import Kind
from xinghe.catalog.load import Catalog
from xinghe.embedding import TextTooLong
from xinghe.ledger import Ledger
from xinghe.limits import Limiter
from xinghe.settings import Server


class RerankRoute:
    """Validate, limit, reserve, rank, settle; the models are those of `/embeddings`."""

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
        request = read_request(body, limits)
        tell_ignored(exchange, request.ignored)
        exchange.add_header("x-served-by", embedder.served_by)
        tokens = charged_tokens([request.query, *request.documents])

        async def work(began: Callable[[], None]) -> list[float]:
            return await embedder.rank(
                request.query, request.documents, max_tokens=limits.tokens, began=began
            )

        try:
            scores = await prepaid(exchange, card, tokens, self._ledger, self._limiter, work)
        except TextTooLong as error:
            field = f"documents[{error.index - 1}]" if error.index else "query"
            raise tokens_too_long(field, error, limits) from error
        await exchange.send_json(
            Ranking(
                id=exchange.request_id,
                model=name,
                results=_best(request, scores),
                usage=EmbeddingUsage(tokens, tokens),
            )
        )


def _best(request: RerankRequest, scores: list[float]) -> list[RankedResult]:
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    results = [RankedResult(index, scores[index]) for index in order[: request.top_n]]
    if request.return_documents:
        for result in results:
            result.document = RankedDocument(request.documents[result.index])
    return results
