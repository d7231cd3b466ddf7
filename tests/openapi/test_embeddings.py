"""What `/embeddings` and `/rerank` read is what the document says of them."""

from __future__ import annotations

from xinghe.api.embeddings.request import KNOWN as EMBEDDING_FIELDS
from xinghe.api.openapi.document import document
from xinghe.api.openapi.embeddings import MAX_TEXTS, embedding_request, rerank_request
from xinghe.api.rerank.request import KNOWN as RERANK_FIELDS
from xinghe.catalog import Kind, load
from xinghe.settings import Settings


def test_every_parameter_that_is_read_is_described() -> None:
    assert set(embedding_request()["properties"]) == EMBEDDING_FIELDS
    assert set(rerank_request()["properties"]) == RERANK_FIELDS


def test_both_dialects_have_both_operations() -> None:
    for base in ("/llm/lmapi/v3", "/v1"):
        for path in ("embeddings", "rerank"):
            assert "post" in document()["paths"][f"{base}/{path}"]


def test_as_many_texts_as_the_models_take() -> None:
    cards = load(Settings(data="/nowhere")).of_kind(Kind.EMBEDDING).values()
    assert {card.max_texts for card in cards} == {MAX_TEXTS}
