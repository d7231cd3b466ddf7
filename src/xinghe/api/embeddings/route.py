"""`POST /embeddings`: reads texts, and sends their vectors."""

import msgspec

from xinghe.api.dialect import Dialect
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
from xinghe.api.embeddings.texts import TextWork, begin
from xinghe.api.exchange import Exchange
from xinghe.api.priced import Services, charged
from xinghe.embedding import Began, Embedder, EmbedderFailed, TextTooLong, Vectors


class EmbeddingsRoute(msgspec.Struct):
    """Reads texts, and sends their vectors."""

    services: Services

    async def __call__(self, exchange: Exchange) -> None:
        begun = await begin(EMBEDDINGS, exchange, self.services)
        request, limits, own = begun.request, begun.limits, begun.chain.own
        texts, dimensions = read_texts(request, limits), read_dimensions(request, own)

        async def embed(embedder: Embedder, began: Began) -> Vectors:
            made = await embedder.vectors(
                texts,
                FORMS[request.input_type] if request.input_type else "text",
                max_tokens=begun.most(embedder),
                dimensions=dimensions,
                began=began,
            )
            if dimensions is None and made.dimensions != own.dimensions != 0:
                raise EmbedderFailed(f"{embedder.served_by} made {made.dimensions} dimensions")
            return made

        def fits(other: Embedder) -> bool:
            return dimensions is None or other.resizable

        work = TextWork(exchange, begun, texts, embed, fits)
        try:
            vectors = await charged(self.services, exchange, work)
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
