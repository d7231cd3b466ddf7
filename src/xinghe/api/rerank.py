"""`POST /rerank`: documents by a query, in the shape of Jina's and Cohere's clients."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from xinghe.api.dialect import Dialect
from xinghe.api.embeddings.schema import (
    DEFAULT_MODEL,
    EmbeddingLimits,
    EmbeddingUsage,
    TextModel,
    check_characters,
    tokens_too_long,
)
from xinghe.api.embeddings.texts import TextWork, begin
from xinghe.api.errors import ApiError
from xinghe.api.exchange import Exchange
from xinghe.api.priced import Services, charged
from xinghe.api.validation import AnyUser, Form, NotEmpty, Request
from xinghe.embedding import Began, Embedder, TextTooLong


class Document(msgspec.Struct):
    """A document as an object; what else stands in it is passed over."""

    text: Annotated[
        str,
        Meta(min_length=1, extra={"allowed": "a string that is not empty, or an object {text}"}),
    ]


class RerankRequest(Request, kw_only=True):
    """`top_n` may be more than there are documents: many clients send that for "all of them"."""

    default_model = DEFAULT_MODEL

    model: TextModel | None = None
    query: Annotated[NotEmpty, Meta(description="查询。 The query.")]
    documents: Annotated[
        list[NotEmpty | Document],
        Meta(min_length=1, max_length=100, description="待排序的文档。 What is to be ordered."),
    ]
    top_n: (
        Annotated[
            int, Meta(ge=1, le=2**31 - 1, description="只返回前几条。 How many are given back.")
        ]
        | None
    ) = None
    return_documents: (
        Annotated[bool, Meta(description="返回文档原文。 Give the documents back, too.")] | None
    ) = None

    @classmethod
    def refusal(cls, path: str, value: Any, allowed: str) -> ApiError:
        """A document is named whole."""
        return super().refusal(path.removesuffix(".text"), value, allowed)


class RerankRequestOpenai(RerankRequest, kw_only=True):
    """An empty user is none."""

    user: AnyUser | None = None
    user_id: AnyUser | None = None


RERANK: dict[Dialect, Form[RerankRequest]] = {
    Dialect.DOCUMENTED: Form(RerankRequest),
    Dialect.OPENAI: Form(RerankRequestOpenai),
}


def read_documents(request: RerankRequest, limits: EmbeddingLimits) -> list[str]:
    """The documents' texts. Raises `ApiError` for a text that is too long."""
    check_characters("query", request.query, limits)
    texts = [each if isinstance(each, str) else each.text for each in request.documents]
    for at, text in enumerate(texts):
        check_characters(f"documents[{at}]", text, limits)
    return texts


class RankedDocument(msgspec.Struct):
    """A document as it was sent, but always as an object."""

    text: str


class RankedResult(msgspec.Struct):
    """`index` is that in the request's list; `relevance_score` is in [0, 1]."""

    index: int
    relevance_score: float
    document: RankedDocument | UnsetType = UNSET


class Ranking(msgspec.Struct):
    """The best documents first; equal ones in the order in which they were sent."""

    id: str
    model: str
    results: list[RankedResult]
    usage: EmbeddingUsage


class RerankRoute(msgspec.Struct):
    """Reads documents, and sends them ranked; the models are those of `/embeddings`."""

    services: Services

    async def __call__(self, exchange: Exchange) -> None:
        begun = await begin(RERANK, exchange, self.services)
        request, limits = begun.request, begun.limits
        documents = read_documents(request, limits)

        async def rank(embedder: Embedder, began: Began) -> list[float]:
            return await embedder.rank(
                request.query, documents, max_tokens=begun.most(embedder), began=began
            )

        def fits(other: Embedder) -> bool:
            # A score by vectors is another than one by a reranker: clients cut off by it.
            return other.reranks == begun.chain.own.reranks

        work = TextWork(exchange, begun, [request.query, *documents], rank, fits)
        try:
            scores = await charged(self.services, exchange, work)
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
