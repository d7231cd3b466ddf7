"""`POST /embeddings`: reads texts, and sends their vectors."""

from collections.abc import Callable
from functools import partial

import msgspec

from xinghe.api.dialect import Dialect
from xinghe.api.embeddings.schema import (
    EMBEDDINGS,
    FORMS,
    EmbeddingList,
    EmbeddingRequest,
    EmbeddingUsage,
    as_data,
    check_dimensions,
    check_total,
    field_of,
    read_dimensions,
    read_texts,
    tokens_too_long,
)
from xinghe.api.embeddings.texts import Begun, TextWork, begin
from xinghe.api.embeddings.windows import Windowed, Windows
from xinghe.api.exchange import Exchange
from xinghe.api.priced import Services, charged
from xinghe.api.validation import tell_adjusted
from xinghe.embedding import Embedder, EmbedderFailed, TextTooLong

A_NUMBER = 16
"""Bytes of a number of a vector, as it is kept and as it is sent."""
LONG = 2000
"""Characters of a text that may be read in pieces, where its model's card knows no limit."""
DIMENSIONS = 1024
"""Of vectors, until an upstream has made one."""


class EmbeddingsRoute(msgspec.Struct):
    """Reads texts, and sends their vectors."""

    services: Services

    async def __call__(self, exchange: Exchange) -> None:
        begun = await begin(EMBEDDINGS, exchange, self.services)
        request, dialect, own = begun.request, exchange.dialect, begun.chain.own
        texts = read_texts(request, begun.limits, dialect)
        dimensions = read_dimensions(request, own, dialect)
        work = TextWork(
            exchange,
            begun,
            texts,
            partial(_made, begun, dialect, texts, dimensions),
            lambda other: dimensions is None or other.resizable,
            (begun.limits.characters or LONG) if dialect is Dialect.OPENAI else 0,
        )
        if dialect is Dialect.OPENAI:
            check_total(work.tokens)
            numbers = len(texts) * (dimensions or own.dimensions or DIMENSIONS)
            await exchange.reserve(numbers * A_NUMBER)
        try:
            made = await charged(self.services, exchange, work)
        except TextTooLong as error:
            raise tokens_too_long(field_of(request, error.index), error, begun.limits) from error
        if made.split:
            tell_adjusted(exchange, [field_of(request, at) for at in made.split])
        answer = EmbeddingList(
            object="embedding_list" if dialect is Dialect.DOCUMENTED else "list",
            data=await as_data(made.vectors, request.encoding_format == "base64"),
            model=exchange.model,
            usage=EmbeddingUsage(work.tokens, work.tokens),
        )
        if dialect is Dialect.DOCUMENTED:
            answer.id, answer.created = exchange.request_id, exchange.created
        await exchange.send_json(answer)


async def _made(
    begun: Begun[EmbeddingRequest],
    dialect: Dialect,
    texts: list[str],
    dimensions: int | None,
    embedder: Embedder,
    began: Callable[..., None],
) -> Windowed:
    """At `/v1` in as many calls and pieces as it takes."""
    request, most, own = begun.request, begun.most(embedder), begun.chain.own
    form = FORMS[request.input_type] if request.input_type else "text"
    if dialect is Dialect.OPENAI:
        windows = Windows(form, begun.limits.characters, most, dimensions)
        made = await windows.vectors(embedder, texts, lambda upto: partial(began, upto))
        check_dimensions(request, made.vectors.dimensions)
    else:
        vectors = await embedder.vectors(
            texts, form, max_tokens=most, dimensions=dimensions, began=began
        )
        made = Windowed(vectors, [])
    got = made.vectors.dimensions
    if dimensions is None and got != own.dimensions != 0:
        raise EmbedderFailed(f"{embedder.served_by} made {got} dimensions")
    return made
