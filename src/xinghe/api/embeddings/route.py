"""`POST /embeddings`: the way of a request for vectors through the rooms, in order."""

from __future__ import annotations

from collections.abc import Callable

from xinghe.api.dialect import Dialect
from xinghe.api.embeddings.prepaid import charged_tokens, prepaid
from xinghe.api.embeddings.request import read_request, tokens_too_long
from xinghe.api.embeddings.rooms import begin
from xinghe.api.embeddings.wire import EmbeddingList, EmbeddingUsage, as_data
from xinghe.api.exchange import Exchange
from xinghe.api.ignored import tell_ignored
from xinghe.api.services import Services
from xinghe.embedding import TextTooLong, Vectors


class EmbeddingsRoute:
    """Validate, limit, reserve, embed, settle."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, exchange: Exchange) -> None:
        begun = await begin(self._services, exchange)
        embedder, limits = begun.embedder, begun.limits
        request = read_request(begun.body, limits, embedder)
        tell_ignored(exchange, request.ignored)
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
            vectors = await prepaid(exchange, begun.card, tokens, self._services, work)
        except TextTooLong as error:
            field = f"input[{error.index}]" if isinstance(begun.body["input"], list) else "input"
            raise tokens_too_long(field, error, limits) from error
        answer = EmbeddingList(
            object="embedding_list" if exchange.dialect is Dialect.DOCUMENTED else "list",
            data=as_data(vectors, request.base64),
            model=exchange.model,
            usage=EmbeddingUsage(tokens, tokens),
        )
        if exchange.dialect is Dialect.DOCUMENTED:
            answer.id, answer.created = exchange.request_id, exchange.created
        await exchange.send_json(answer)
