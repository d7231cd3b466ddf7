"""`POST /embeddings`: the way of a request for vectors through the rooms, in order."""

from __future__ import annotations

from collections.abc import Callable

from xinghe.api.dialect import Dialect
from xinghe.api.embeddings.prepaid import charged_tokens, prepaid
from xinghe.api.embeddings.rooms import begin
from xinghe.api.embeddings.schema import (
    EMBEDDINGS,
    FORMS,
    EmbeddingList,
    EmbeddingUsage,
    as_data,
    read_dimensions,
    read_texts,
    tokens_too_long,
)
from xinghe.api.exchange import Exchange
from xinghe.api.services import Services
from xinghe.embedding import TextTooLong, Vectors


class EmbeddingsRoute:
    """Validate, limit, reserve, embed, settle."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, exchange: Exchange) -> None:
        begun = await begin(EMBEDDINGS, exchange, self._services)
        request, embedder, limits = begun.request, begun.embedder, begun.limits
        texts, dimensions = read_texts(request, limits), read_dimensions(request, embedder)
        tokens = charged_tokens(texts)

        async def work(began: Callable[[], None]) -> Vectors:
            return await embedder.vectors(
                texts,
                FORMS[request.input_type] if request.input_type else "text",
                max_tokens=limits.tokens,
                dimensions=dimensions,
                began=began,
            )

        try:
            vectors = await prepaid(exchange, begun.card, tokens, self._services, work)
        except TextTooLong as error:
            field = f"input[{error.index}]" if isinstance(request.input, list) else "input"
            raise tokens_too_long(field, error, limits) from error
        answer = EmbeddingList(
            object="embedding_list" if exchange.dialect is Dialect.DOCUMENTED else "list",
            data=as_data(vectors, request.encoding_format == "base64"),
            model=exchange.model,
            usage=EmbeddingUsage(tokens, tokens),
        )
        if exchange.dialect is Dialect.DOCUMENTED:
            answer.id, answer.created = exchange.request_id, exchange.created
        await exchange.send_json(answer)
