"""`POST /rerank`, in the shape of Jina's and Cohere's clients."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.books import MICRO, Books
from tests.kit.expect import answered, malformed, refused
from tests.kit.raw import Reply

DOCUMENTS: list[Any] = [
    "万里长城的总长度是两万多公里",
    {"text": "红烧肉要先焯水,再炒糖色", "source": "菜谱"},
    "明天有雨,记得带伞",
]


def rerank(api: Api, **fields: Any) -> Reply:
    return api.post("/rerank", {"query": "红烧肉怎么做", "documents": DOCUMENTS, **fields})


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
def test_best_first(api: Api, mount: str) -> None:
    body = answered(rerank(api.at(mount)))
    assert set(body) == {"id", "model", "results", "usage"}
    assert body["results"][0]["index"] == 1
    scores = [each["relevance_score"] for each in body["results"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert sorted(each["index"] for each in body["results"]) == [0, 1, 2]
    assert all("document" not in each for each in body["results"])


def test_top_n_and_documents(api: Api) -> None:
    (only,) = answered(rerank(api, top_n=1, return_documents=True))["results"]
    assert only["document"] == {"text": DOCUMENTS[1]["text"]}
    assert len(answered(rerank(api, top_n=100))["results"]) == 3


def test_usage_and_price(api: Api, books: Books) -> None:
    body = answered(rerank(api, query="ab cd", documents=["你好"], model="bge-large-zh"))
    assert body["usage"] == {"prompt_tokens": 5, "total_tokens": 5}  # 2 × 1.3 + 2
    entry = books.usage(body["id"])
    assert entry["amount"] == -5 * MICRO // 4
    assert entry["model"] == "bge-large-zh"


def test_equal_documents_keep_their_order(api: Api) -> None:
    results = answered(rerank(api, documents=["一样"] * 5))["results"]
    assert [each["index"] for each in results] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"query": ""}, "query"),
        ({"query": None}, "query"),
        ({"query": ["红烧肉"]}, "query"),
        ({"documents": None}, "documents"),
        ({"documents": []}, "documents"),
        ({"documents": "长城"}, "documents"),
        ({"documents": ["好"] * 101}, "documents"),
        ({"documents": ["好", ""]}, "documents[1]"),
        ({"documents": ["好", {"text": 7}]}, "documents[1]"),
        ({"documents": ["好", {}]}, "documents[1]"),
        ({"documents": ["好", 7]}, "documents[1]"),
        ({"top_n": 0}, "top_n"),
        ({"top_n": 1.5}, "top_n"),
        ({"return_documents": "yes"}, "return_documents"),
    ],
)
def test_fields_out_of_range(api: Api, fields: dict[str, Any], param: str) -> None:
    malformed(rerank(api, **fields), param, "allowed", param=param)


def test_too_long(api: Api, books: Books) -> None:
    long = "字 " * 300
    for fields, param in (
        ({"query": long}, "query"),
        ({"documents": ["短", long]}, "documents[1]"),
    ):
        reply = rerank(api, **fields)
        refused(reply, 400, "invalid_request_error", "tokens_too_long", 384, param=param)
        books.free(reply.json["id"])
    reply = rerank(api, documents=["a" * 1001])
    refused(reply, 400, "invalid_request_error", "characters_too_long", param="documents[0]")


def test_unknown_fields_are_named(api: Api) -> None:
    reply = rerank(api, max_chunks_per_doc=3)
    answered(reply)
    assert reply.headers["x-ignored-parameters"] == "max_chunks_per_doc"
    assert reply.headers["x-served-by"] == "embedding/multilingual-e5-small"
