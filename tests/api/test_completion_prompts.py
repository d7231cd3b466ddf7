"""Several prompts of one `/v1/completions`: answered in order, under one hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import OpenAI

from tests.api.test_completions import events
from tests.kit.api import STRICT, Api
from tests.kit.books import MICRO, Books
from tests.kit.expect import malformed, refused
from tests.kit.models import CHAT, DOWN
from tests.kit.raw import Connection, Reply
from tests.kit.script import Script
from tests.kit.upstream import Upstream


@pytest.fixture
def strict(api: Api) -> Api:
    return api.at(STRICT)


def complete(api: Api, scripts: list[Script], **fields: Any) -> Reply:
    body = {"model": CHAT, "prompt": [each.prompt for each in scripts], "max_tokens": 64}
    return api.post("/completions", body | fields)


def three() -> list[Script]:
    return [Script(list(text), prompt_tokens=10) for text in ("一", "二二", "三三三")]


def test_each_is_answered_in_order_and_charged_once(
    strict: Api, upstream: Upstream, books: Books
) -> None:
    scripts = three()
    reply = complete(strict, scripts, n=2)
    assert reply.status == 200, reply.text
    body = reply.json
    assert [each["index"] for each in body["choices"]] == [*range(6)]
    texts = [each["text"] for each in body["choices"]]
    assert texts == ["一", "一", "二二", "二二", "三三三", "三三三"]
    assert {each["finish_reason"] for each in body["choices"]} == {"stop"}
    assert [len(upstream.attempts(each)) for each in scripts] == [2, 2, 2]
    usage = body["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (60, 12)
    assert books.usage(body["id"])["amount"] == -(60 + 2 * 12) * MICRO


@pytest.mark.parametrize("include_usage", [False, True])
def test_a_stream_of_them(strict: Api, books: Books, include_usage: bool) -> None:
    more = {"stream_options": {"include_usage": True}} if include_usage else {}
    reply = complete(strict, three(), stream=True, **more)
    texts, ends = ["", "", ""], list[int]()
    chunks = events(reply)
    for choice in (choice for chunk in chunks for choice in chunk["choices"]):
        texts[choice["index"]] += choice["text"]
        ends += [choice["index"]] if choice["finish_reason"] else []
    assert texts == ["一", "二二", "三三三"]
    assert ends == [0, 1, 2]
    told = [chunk["usage"]["completion_tokens"] for chunk in chunks if chunk.get("usage")]
    assert told == ([6] if include_usage else [])
    assert books.usage(chunks[0]["id"])["amount"] == -(30 + 2 * 6) * MICRO


def test_one_that_is_cut_and_one_that_is_not(strict: Api) -> None:
    choices = complete(strict, three(), max_tokens=2).json["choices"]
    assert [each["text"] for each in choices] == ["一", "二二", "三三"]
    assert [each["finish_reason"] for each in choices][-1] == "length"


@pytest.mark.parametrize("stream", [False, True])
def test_where_one_fails_nothing_is_charged(strict: Api, books: Books, stream: bool) -> None:
    broken = Script(["好"], fault="status", status=400, again=[Script(["好"])])
    reply = complete(strict, [Script(["好"]), broken], stream=stream)
    assert reply.status == 500 or '"error"' in reply.text
    if not stream:
        books.free(reply.headers["x-request-id"])
    books.settled()
    assert complete(strict, three(), model=DOWN).status == 503


@pytest.mark.parametrize(
    ("prompts", "n", "allowed"), [(16, 2, "1 at most"), (3, 6, "5 at most"), (9, 2, "1 at most")]
)
def test_too_many_answers(strict: Api, prompts: int, n: int, allowed: str) -> None:
    reply = complete(strict, [Script()] * prompts, n=n, best_of=n)
    malformed(reply, "n is", allowed, f"{prompts} prompts", param="n")


def test_as_many_as_may_be(strict: Api) -> None:
    choices = complete(strict, [Script(["好"])] * 16).json["choices"]
    assert [each["text"] for each in choices] == ["好"] * 16


def test_one_that_is_too_long(strict: Api) -> None:
    body = {"model": CHAT, "prompt": ["a", "a" * 600_000]}
    reply = strict.post("/completions", body)
    refused(reply, 400, "invalid_request_error", "characters_too_long", param="prompt")


def test_the_hold_covers_all_of_them(strict: Api, books: Books) -> None:
    slow = Script(["慢"] * 200, rate=20)
    held = []
    for prompts in (1, 8):
        body = {"model": CHAT, "prompt": [slow.prompt] * prompts, "max_tokens": 100}
        data = json.dumps({**body, "stream": True}).encode()
        with Connection(strict.url) as connection:
            connection.request("POST", f"{STRICT}/completions", data, strict.headers)
            status, headers = connection.head()
            assert status == 200
            next(connection.pieces(headers))
            held.append(books.shown()["held"])
        books.settled()
    assert held[1] > 7 * held[0]


def test_a_key_is_paid_once(strict: Api, books: Books, upstream: Upstream) -> None:
    scripts = three()
    body = {"model": CHAT, "prompt": [each.prompt for each in scripts], "max_tokens": 64}
    headers = {**strict.headers, "Idempotency-Key": "three-prompts"}
    first, again = (
        strict.send("POST", "/completions", json.dumps(body).encode(), headers) for _ in range(2)
    )
    assert first.json == again.json
    assert [len(upstream.attempts(each)) for each in scripts] == [1, 1, 1]
    books.settled()


def test_official_client(strict: Api) -> None:
    scripts = three()
    with OpenAI(base_url=strict.url + STRICT, api_key=strict.token, max_retries=0) as client:
        made = client.completions.create(
            model=CHAT, prompt=[each.prompt for each in scripts], max_tokens=64
        )
    assert [each.text for each in made.choices] == ["一", "二二", "三三三"]
