"""`POST /rerank`: documents in the order in which they answer a query."""

from __future__ import annotations

from xinghe.api.embeddings.route import Began, TextWork, begin
from xinghe.api.embeddings.schema import EmbeddingUsage, tokens_too_long
from xinghe.api.exchange import Exchange
from xinghe.api.priced import charged
from xinghe.api.rerank.schema import (
    RERANK,
    RankedDocument,
    RankedResult,
    Ranking,
    RerankRequest,
    read_documents,
)
from xinghe.api.services import Services
from xinghe.embedding import TextTooLong


class RerankRoute:
    """Reads documents, and sends them ranked; the models are those of `/embeddings`."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, exchange: Exchange) -> None:
        begun = await begin(RERANK, exchange, self._services)
        request, embedder, limits = begun.request, begun.embedder, begun.limits
        documents = read_documents(request, limits)

        async def rank(began: Began) -> list[float]:
            return await embedder.rank(
                request.query, documents, max_tokens=limits.tokens, began=began
            )

        work = TextWork(begun.card, [request.query, *documents], rank)
        try:
            scores = await charged(self._services, exchange, work)
        except TextTooLong as error:
            field = f"documents[{error.index - 1}]" if error.index else "query"
            raise tokens_too_long(field, error, limits) from error
        await exchange.send_json(
            Ranking(
                id=exchange.request_id,
                model=exchange.model,
                results=_best(request, documents, scores),
                usage=EmbeddingUsage(work.tokens, work.tokens),
            )
        )


def _best(request: RerankRequest, documents: list[str], scores: list[float]) -> list[RankedResult]:
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    results = [RankedResult(index, scores[index]) for index in order[: request.top_n]]
    if request.return_documents:
        for result in results:
            result.document = RankedDocument(documents[result.index])
    return results
