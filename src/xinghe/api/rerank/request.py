"""The parameters of `POST /rerank`, in the shape that Jina's and Cohere's clients send."""

from __future__ import annotations

from typing import Any

import msgspec

from xinghe.api.embeddings.request import check_characters
from xinghe.api.embeddings.stations import EmbeddingLimits
from xinghe.api.end_user import read_user
from xinghe.api.errors import refuse
from xinghe.api.fields import flag, integer

MAX_DOCUMENTS = 100
KNOWN = frozenset({"model", "query", "documents", "top_n", "return_documents", "user", "user_id"})


class RerankRequest(msgspec.Struct, frozen=True):
    """A request that passed validation; `top_n` is at most the number of documents."""

    query: str
    documents: list[str]
    top_n: int
    return_documents: bool
    ignored: tuple[str, ...]


def read_request(body: dict[str, Any], limits: EmbeddingLimits) -> RerankRequest:
    """Validate a body for a model that is known and permitted. Raises `ApiError`."""
    read_user(body)
    query = body.get("query")
    if not isinstance(query, str) or not query:
        raise refuse("query", query, "a string that is not empty")
    check_characters("query", query, limits)
    documents = _documents(body, limits)
    # More than there are documents is what many clients send for "all of them".
    top_n = integer(body, "top_n", 1, 2**31 - 1) or len(documents)
    return RerankRequest(
        query=query,
        documents=documents,
        top_n=min(top_n, len(documents)),
        return_documents=bool(flag(body, "return_documents")),
        ignored=tuple(name for name in body if name not in KNOWN and body[name] is not None),
    )


def _documents(body: dict[str, Any], limits: EmbeddingLimits) -> list[str]:
    value = body.get("documents")
    allowed = f"a list of 1 to {MAX_DOCUMENTS} documents"
    if not isinstance(value, list) or not value:
        raise refuse("documents", value, allowed)
    if len(value) > MAX_DOCUMENTS:
        raise refuse("documents", value, f"{allowed}; this one has {len(value)}")
    documents = []
    for at, each in enumerate(value):
        text = each.get("text") if isinstance(each, dict) else each
        if not isinstance(text, str) or not text:
            raise refuse(
                f"documents[{at}]",
                each,
                "a string that is not empty, or an object {text}",
            )
        check_characters(f"documents[{at}]", text, limits)
        documents.append(text)
    return documents
