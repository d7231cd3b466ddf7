"""`POST /v1/embeddings`: many texts, long texts, and what OpenAI's clients send beside them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from openai import OpenAI

from tests.api.test_embeddings import embed
from tests.kit.api import STRICT, Api
from tests.kit.books import MICRO, Books
from tests.kit.expect import malformed, refused
from tests.kit.server import Server

LONG = "星河 " * 340
"""1020 characters: more than the 1000 that the model takes."""
ADJUSTED = "x-adjusted-parameters"


@pytest.fixture
def strict(api: Api) -> Api:
    return api.at(STRICT)


def vectors(body: dict[str, Any]) -> list[list[float]]:
    return [each["embedding"] for each in body["data"]]


def test_many_texts(strict: Api, books: Books) -> None:
    texts = [f"第{n}个" for n in range(20)]
    reply = embed(strict, texts)
    body = reply.json
    assert [each["index"] for each in body["data"]] == list(range(20))
    assert ADJUSTED not in reply.headers
    # Of whatever portion, a text's vector is its own.
    alone = vectors(embed(strict, texts[18]).json)[0]
    assert sum(a * b for a, b in zip(vectors(body)[18], alone, strict=True)) > 0.999
    assert (
        books.usage(reply.headers["x-request-id"])["prompt_tokens"]
        == (body["usage"]["prompt_tokens"])
    )


def test_as_many_as_openai_takes_and_no_more(strict: Api, books: Books) -> None:
    reply = embed(strict, ["好"] * 2049)
    malformed(reply, "input", "1 to 2048", "2049", param="input")
    books.free(reply.json["id"])


def test_a_long_text_is_read_in_pieces_and_told(strict: Api, books: Books) -> None:
    reply = embed(strict, ["短", LONG, "也短"])
    assert reply.status == 200, reply.text
    assert reply.headers[ADJUSTED] == "input[1]"
    short, long, _ = vectors(reply.json)
    assert long != short
    assert math.hypot(*long) == pytest.approx(1, abs=1e-4)
    # All of it is paid for.
    tokens = reply.json["usage"]["prompt_tokens"]
    assert tokens == 2 * 340 + 3
    entry = books.usage(reply.headers["x-request-id"])
    assert entry["amount"] == -tokens * MICRO // 4
    # At the documented mounts it is refused.
    refused(
        embed(strict.at("/llm/lmapi/v3"), LONG), 400, "invalid_request_error", "characters_too_long"
    )


def test_a_word_without_an_end_costs_its_characters(strict: Api, books: Books) -> None:
    reply = embed(strict, "x" * 1200)
    assert reply.json["usage"]["prompt_tokens"] == 150
    assert books.usage(reply.headers["x-request-id"])["amount"] == -150 * MICRO // 4
    assert embed(strict, "x" * 300).json["usage"]["prompt_tokens"] == 2


def test_all_texts_together_are_bounded(strict: Api, books: Books) -> None:
    reply = embed(strict, ["a " * 120_000] * 2)
    refused(reply, 400, "invalid_request_error", "tokens_too_long", 312000, 300000, param="input")
    books.free(reply.json["id"])


@pytest.mark.parametrize("path", ["/embeddings", "/rerank"])
def test_an_empty_user_is_none(strict: Api, path: str) -> None:
    fields = {"input": "好", "query": "好", "documents": ["好"], "user": "", "user_id": ""}
    reply = strict.post(path, fields)
    assert reply.status == 200, reply.text
    documented = strict.at("/llm/lmapi/v3").post(path, fields)
    refused(documented, 400, "invalid_request_error", "invalid_user_id", param="user")


def test_dimensions_are_the_model_s_own(strict: Api, books: Books) -> None:
    assert embed(strict, dimensions=384).status == 200
    reply = embed(strict, dimensions=256)
    refused(
        reply, 400, "invalid_request_error", "unsupported_parameter", 256, 384, param="dimensions"
    )
    books.free(reply.json["id"])


@pytest.mark.parametrize("value", [[1, 2, 3], [[1, 2], [3]]])
def test_token_ids_are_refused_with_what_langchain_needs(strict: Api, value: Any) -> None:
    malformed(embed(strict, value), "token ids", "check_embedding_ctx_length=False", param="input")


def test_official_client(server: Server, token: str) -> None:
    with OpenAI(base_url=server.url + STRICT, api_key=token, max_retries=0) as client:
        made = client.embeddings.create(model="embedding-v1", input="好", dimensions=384)
        assert [len(each.embedding) for each in made.data] == [384]


def test_hostile_texts(strict: Api) -> None:
    """Read in pieces or as they are, none of them ends the worker."""
    before = vectors(embed(strict).json)
    hostile = ["\x00" * 1001, "\u202e\u200b" * 501, "👨\u200d👩\u200d👧" * 201, " " * 1001]
    reply = embed(strict, hostile)
    assert reply.status == 200, reply.text
    for vector in vectors(reply.json):
        assert math.hypot(*vector) == pytest.approx(1, abs=1e-3)
    assert vectors(embed(strict).json) == before
