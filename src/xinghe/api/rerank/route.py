"""`POST /rerank`: documents in the order in which they answer a query."""

from __future__ import annotations

from collections.abc import Callable

from xinghe.api.embeddings.prepaid import charged_tokens, prepaid
from xinghe.api.embeddings.request import tokens_too_long
from xinghe.api.embeddings.rooms import begin
from xinghe.api.embeddings.wire import EmbeddingUsage
from xinghe.api.exchange import Exchange
from xinghe.api.ignored import tell_ignored
from xinghe.api.rerank.request import RerankRequest, read_request
from xinghe.api.rerank.wire import RankedDocument, RankedResult, Ranking
from xinghe.api.services import Services
from xinghe.embedding import TextTooLong


class RerankRoute:
    """Validate, limit, reserve, rank, settle; the models are those of `/embeddings`."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, exchange: Exchange) -> None:
        begun = await begin(self._services, exchange)
        embedder, limits = begun.embedder, begun.limits
        request = read_request(begun.body, limits)
        tell_ignored(exchange, request.ignored)
        tokens = charged_tokens([request.query, *request.documents])

        async def work(began: Callable[[], None]) -> list[float]:
            return await embedder.rank(
                request.query, request.documents, max_tokens=limits.tokens, began=began
            )

        try:
            scores = await prepaid(exchange, begun.card, tokens, self._services, work)
        except TextTooLong as error:
            field = f"documents[{error.index - 1}]" if error.index else "query"
            raise tokens_too_long(field, error, limits) from error
        await exchange.send_json(
            Ranking(
                id=exchange.request_id,
                model=exchange.model,
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
