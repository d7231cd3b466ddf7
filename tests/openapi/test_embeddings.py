"""What `/embeddings` and `/rerank` take, as the document tells it."""

from __future__ import annotations

from tests.kit.catalogs import catalog_of
from xinghe.api.embeddings.schema import MAX_TEXTS, EmbeddingRequest
from xinghe.api.openapi import document
from xinghe.api.rerank import RerankRequest
from xinghe.catalog import Kind
from xinghe.settings import Settings


def test_every_parameter_that_is_read_is_described() -> None:
    schemas = document()["components"]["schemas"]
    for shape in (EmbeddingRequest, RerankRequest):
        assert set(schemas[shape.__name__]["properties"]) == set(shape.__struct_encode_fields__)


def test_both_dialects_have_both_operations() -> None:
    for base in ("/llm/lmapi/v3", "/v1"):
        for path in ("embeddings", "rerank"):
            assert "post" in document()["paths"][f"{base}/{path}"]


def test_as_many_texts_as_the_models_take() -> None:
    cards = catalog_of(Settings(data="/nowhere")).of_kind(Kind.EMBEDDING).values()
    assert {card.max_texts for card in cards} == {MAX_TEXTS}
