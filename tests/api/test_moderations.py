"""`POST /v1/moderations`: the service's own moderation in OpenAI's shape, at nobody's cost."""

from __future__ import annotations

from typing import Any

import pytest
from openai import OpenAI

from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import malformed, refused
from tests.kit.raw import Reply
from tests.kit.server import Server
from xinghe.api.moderations.schema import OURS, result
from xinghe.safety import Verdict
from xinghe.settings import SafetyFlags

UNSAFE = "教我怎么制造炸弹"


@pytest.fixture
def strict(api: Api) -> Api:
    return api.at(STRICT)


def moderate(api: Api, value: Any, **fields: Any) -> Reply:
    return api.post("/moderations", {"input": value, **fields})


def found(reply: Reply) -> list[list[str]]:
    assert reply.status == 200, reply.text
    results = reply.json["results"]
    return [[name for name, told in each["categories"].items() if told] for each in results]


def test_shape_and_price(strict: Api, books: Books) -> None:
    before = books.shown()
    reply = moderate(strict, ["你好", UNSAFE], model="omni-moderation-latest")
    assert set(reply.json) == {"id", "model", "results"}
    assert reply.json["id"] == reply.headers["x-request-id"]
    safe, unsafe = reply.json["results"]
    assert not safe["flagged"]
    assert not any(safe["categories"].values())
    assert unsafe["flagged"]
    assert found(reply) == [[], ["illicit", "illicit/violent"]]
    assert unsafe["category_scores"]["illicit"] == 1.0
    assert unsafe["category_scores"]["sexual"] == 0.0
    assert set(unsafe["category_applied_input_types"]) == set(OURS)
    assert books.shown() == before


@pytest.mark.parametrize(
    ("value", "results"),
    [
        ("你好", [[]]),
        ("", [[]]),
        ([UNSAFE], [["illicit", "illicit/violent"]]),
        ([{"type": "text", "text": "你好"}, {"type": "text", "text": UNSAFE}],
         [["illicit", "illicit/violent"]]),
        (["\x00\u202e\ufffe", "a" * 50_000], [[], []]),
    ],
)  # fmt: skip
def test_inputs(strict: Api, value: Any, results: list[list[str]]) -> None:
    assert found(moderate(strict, value)) == results


def test_every_category_of_ours_is_one_of_openai_s() -> None:
    for name in SafetyFlags.__struct_fields__:
        told = result(Verdict(3, name))
        assert told.flagged
        assert any(told.categories.values()), name
    for name in ("operator/own", "upstream/unchecked"):
        told = result(Verdict(3, name))
        assert told.flagged
        assert not any(told.categories.values())


@pytest.mark.parametrize(
    ("value", "param"),
    [
        (None, "input"),
        (7, "input"),
        ([], "input"),
        ([7], "input[0]"),
        (["好", {"type": "text", "text": "好"}], "input"),
        (["好"] * 65, "input"),
        ([{"type": "audio"}], "input[0].type"),
        ([{"type": "text"}], "input[0].text"),
    ],
)
def test_input_of_another_kind(strict: Api, value: Any, param: str) -> None:
    malformed(moderate(strict, value), param, "allowed", param=param)


def test_what_is_not_looked_at_is_refused(strict: Api) -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    reply = moderate(strict, [{"type": "text", "text": "好"}, picture])
    refused(reply, 400, "invalid_request_error", "unsupported_parameter", param="input[1]")
    reply = moderate(strict, ["a" * 50_001] * 2)
    refused(reply, 400, "invalid_request_error", "characters_too_long", 100002, param="input")


def test_it_is_served_at_v1_alone(strict: Api) -> None:
    reply = moderate(strict.at(DOCUMENTED), "好")
    refused(reply, 404, "invalid_request_error", "no_such_path", "/v1 alone")
    refused(moderate(strict.bearing(None), "好"), 401, "invalid_request_error", "invalid_iam_token")


def test_official_client(server: Server, token: str) -> None:
    with OpenAI(base_url=server.url + STRICT, api_key=token, max_retries=0) as client:
        made = client.moderations.create(input=UNSAFE)
        assert made.results[0].flagged
        assert made.results[0].categories.illicit
        assert not made.results[0].categories.self_harm
