"""`POST /embeddings`: shapes, limits, usage and price (section 4.3, contract Embeddings)."""

from __future__ import annotations

import base64
import math
from array import array
from typing import Any

import pytest
from openai import OpenAI

from tests.kit.api import ALIAS, DOCUMENTED, STRICT, Api
from tests.kit.books import MICRO, Books
from tests.kit.expect import answered, malformed, refused
from tests.kit.raw import Reply
from tests.kit.server import Server

FOOD = ["推荐一些美食", "给我讲个故事"]


def embed(api: Api, value: Any = "你好", **fields: Any) -> Reply:
    return api.post("/embeddings", {"input": value, **fields})


@pytest.mark.parametrize("mount", [DOCUMENTED, ALIAS])
def test_shape_at_the_documented_mount(api: Api, mount: str) -> None:
    body = answered(embed(api.at(mount), FOOD))
    assert body["object"] == "embedding_list"
    assert body["model"] == "embedding-v1"
    assert [each["index"] for each in body["data"]] == [0, 1]
    for each in body["data"]:
        assert set(each) == {"object", "embedding", "index"}
        assert each["object"] == "embedding"
        assert math.hypot(*each["embedding"]) == pytest.approx(1, abs=1e-4)


def test_shape_at_the_strict_mount(api: Api) -> None:
    reply = embed(api.at(STRICT), FOOD)
    assert reply.status == 200
    assert set(reply.json) == {"object", "data", "model", "usage"}
    assert reply.json["object"] == "list"


def test_base64_holds_the_same_floats(api: Api) -> None:
    (as_floats,) = answered(embed(api))["data"]
    (as_text,) = answered(embed(api, encoding_format="base64"))["data"]
    decoded = array("f", base64.b64decode(as_text["embedding"]))
    assert decoded.tolist() == pytest.approx(as_floats["embedding"], abs=1e-5)


def test_official_client(server: Server, token: str) -> None:
    for mount in (DOCUMENTED, STRICT):
        with OpenAI(base_url=server.url + mount, api_key=token, max_retries=0) as client:
            made = client.embeddings.create(model="bge-large-zh", input=FOOD)
            assert [len(each.embedding) for each in made.data] == [384, 384]


def test_limits_and_what_serves_are_told(api: Api) -> None:
    reply = embed(api)
    about = api.get("/models/embedding-v1").json["xinghe"]
    assert reply.headers["x-served-by"] == about["served_by"] == "embedding/multilingual-e5-small"
    assert about["dimensions"] == 384
    limits = {"texts": 16, "tokens_a_text": 384, "characters_a_text": 1000}
    assert about["text_limits"] == limits
    # Of the documented 512, the default engine reads 506.
    limits = {"texts": 16, "tokens_a_text": 506, "characters_a_text": 2000}
    assert api.get("/models/bge-large-zh").json["xinghe"]["text_limits"] == limits


@pytest.mark.parametrize(
    ("texts", "tokens"),
    [
        ("推荐一些美食", 6),
        (["推荐一些美食", "给我讲个故事"], 12),
        ("hello world", 3),  # 2 × 1.3, rounded up
        (["hello", "world", "again"], 4),  # 3.9, rounded up once
        ("用 Python 写", 4),  # 2 + 1.3
        ("😀", 2),  # a word
        ("。", 1),  # never nothing
    ],
)
def test_usage_and_price_follow_the_documented_estimate(
    api: Api, books: Books, texts: Any, tokens: int
) -> None:
    body = answered(embed(api, texts))
    assert body["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    entry = books.usage(body["id"])
    assert entry["amount"] == -tokens * MICRO // 4
    assert (entry["prompt_tokens"], entry["completion_tokens"]) == (tokens, 0)


def test_sixteen_texts_are_taken_and_seventeen_are_not(api: Api) -> None:
    assert len(answered(embed(api, ["好"] * 16))["data"]) == 16
    malformed(embed(api, ["好"] * 17), "input", "1 to 16", "17", param="input")


@pytest.mark.parametrize(
    ("value", "param"),
    [
        (None, "input"),
        ("", "input"),
        ([], "input"),
        ({}, "input"),
        (7, "input"),
        (True, "input"),
        (["好", ""], "input[1]"),
        (["好", None], "input[1]"),
        (["好", 7], "input[1]"),
        (["好", ["好"]], "input[1]"),
        ([["好"]], "input[0]"),
        ([True], "input[0]"),
        ([[]], "input[0]"),
    ],
)
def test_input_of_another_kind(api: Api, value: Any, param: str) -> None:
    malformed(embed(api, value), param, "allowed", param=param)


@pytest.mark.parametrize("value", [[1, 2, 3], [[1, 2], [3]]])
def test_token_ids_are_refused_by_name(api: Api, value: Any) -> None:
    malformed(embed(api, value), "input is an array", "token ids", param="input")


def test_characters_are_counted_for_each_text(api: Api, books: Books) -> None:
    answered(embed(api, "a" * 1000))
    answered(embed(api, ["a" * 1000] * 2))
    for value, param in (("a" * 1001, "input"), (["a", "a" * 1001], "input[1]")):
        reply = embed(api, value)
        refused(
            reply, 400, "invalid_request_error", "characters_too_long", "1000", "1001", param=param
        )
        books.free(reply.json["id"])
    answered(embed(api, "a" * 2000, model="bge-large-zh"))


def test_tokens_are_counted_for_each_text(api: Api, books: Books) -> None:
    long = "字 " * 300  # 600 characters, more tokens than 384
    for value, param in ((long, "input"), (["短", long], "input[1]")):
        reply = embed(api, value)
        refused(reply, 400, "invalid_request_error", "tokens_too_long", 384, param=param)
        assert "the model takes" in reply.json["error"]["message"]
        books.free(reply.json["id"])
    reply = embed(api, "字 " * 900, model="bge-large-zh")
    refused(reply, 400, "invalid_request_error", "tokens_too_long", 506, param="input")
    assert "the deployment takes" in reply.json["error"]["message"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("encoding_format", "float16"),
        ("encoding_format", ["float"]),
        ("dimensions", 256),
        ("dimensions", 0),
        ("dimensions", "384"),
        ("input_type", "clustering"),
        ("user", 7),
        ("user", "x" * 1025),
    ],
)
def test_fields_out_of_range(api: Api, field: str, value: Any) -> None:
    malformed(embed(api, **{field: value}), field, "allowed", param=field)


def test_fields_that_are_taken(api: Api) -> None:
    reply = embed(api, dimensions=384, user="u", input_type="passage", encoding_format=None)
    answered(reply)
    assert "x-ignored-parameters" not in reply.headers
    reply = embed(api, temperature=1, truncate=None, **{"näme": 1})
    answered(reply)
    assert reply.headers["x-ignored-parameters"] == "temperature, n%C3%A4me"


def test_empty_user(api: Api) -> None:
    reply = embed(api, user="")
    refused(reply, 400, "invalid_request_error", "invalid_user_id", param="user")


def test_the_form_of_a_passage_is_another(api: Api) -> None:
    plain, query, passage, document = (
        answered(embed(api, "长城有多长", **fields))["data"][0]["embedding"]
        for fields in ({}, *({"input_type": kind} for kind in ("query", "passage", "document")))
    )
    assert plain == query
    assert passage == document != query


def test_models(api: Api) -> None:
    refused(embed(api, model=""), 400, "invalid_request_error", "invalid_model", "model is empty")
    reply = embed(api, model="bge-9")
    refused(reply, 404, "invalid_request_error", "no_such_model", "--new embedding")
    malformed(embed(api, model="deepseek-v3"), "embedding", "chat", param="model")
    malformed(api.chat(model="embedding-v1"), "chat", "embedding", param="model")
    malformed(embed(api, model=7), param="model")


def test_who_may(server: Server, api: Api) -> None:
    reply = embed(api.bearing(None))
    refused(reply, 401, "invalid_request_error", "invalid_iam_token")
    refused(api.get("/embeddings"), 405, "invalid_request_error", "method_not_supported", "POST")


def test_hostile_texts(api: Api) -> None:
    """None of them ends the worker: the next request is answered by the same vectors."""
    before = answered(embed(api))["data"]
    hostile = ["\x00", "a\x00b", "\u202e\u200b", "\ufffe\uffff", "query: passage: ", "</s><s>",
               "👨‍👩‍👧‍👦" * 60, "\U0010ffff" * 1000, "\t\n\r ", "%s%n" * 200, "́" * 900]  # fmt: skip
    for text in hostile:
        reply = embed(api, text)
        assert reply.status == 200 or reply.json["error"]["code"] == "tokens_too_long"
    assert answered(embed(api))["data"] == before
