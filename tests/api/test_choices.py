"""`n` at `/v1`: several answers to one question, under one hold."""

from __future__ import annotations

from typing import Any

import pytest
from openai import OpenAI

from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import answered, malformed, refused
from tests.kit.models import ABLE, CHAT, DOWN
from tests.kit.script import Script
from tests.kit.upstream import Upstream
from xinghe.core import MICRO


@pytest.fixture
def strict(api: Api) -> Api:
    return api.at(STRICT)


def test_each_has_its_index_and_all_are_charged_once(
    strict: Api, upstream: Upstream, books: Books
) -> None:
    script = Script(["一", "二", "三"], prompt_tokens=10)
    body = answered(strict.chat(model=CHAT, messages=script.messages, n=3))
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2]
    assert {choice["message"]["content"] for choice in body["choices"]} == {"一二三"}
    assert {choice["finish_reason"] for choice in body["choices"]} == {"stop"}
    assert len(upstream.attempts(script)) == 3
    # The upstream is called for each, and reads the prompt each time.
    usage = body["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (30, 9)
    assert books.usage(body["id"])["amount"] == -(30 + 2 * 9) * MICRO


@pytest.mark.parametrize("include_usage", [False, True])
def test_a_stream_mixes_them(strict: Api, books: Books, include_usage: bool) -> None:
    script = Script(list("一二三四"), rate=50, prompt_tokens=10)
    more: dict[str, Any] = {"stream_options": {"include_usage": True}} if include_usage else {}
    stream = strict.stream(model=CHAT, messages=script.messages, n=2, **more)
    texts, ends, roles = ["", ""], list[str](), list[int]()
    for chunk in stream.chunks:
        for choice in chunk["choices"]:
            texts[choice["index"]] += choice["delta"]["content"]
            if "role" in choice["delta"]:
                roles.append(choice["index"])
            if choice["finish_reason"]:
                ends.append(f"{choice['index']} {choice['finish_reason']}")
    assert texts == ["一二三四"] * 2
    assert sorted(roles) == [0, 1]
    assert ends == ["0 stop", "1 stop"]
    assert stream.done
    told = [chunk["usage"] for chunk in stream.chunks if chunk.get("usage")]
    assert [usage["completion_tokens"] for usage in told] == ([8] if include_usage else [])
    assert books.usage(stream.chunks[0]["id"])["amount"] == -(20 + 2 * 8) * MICRO


def test_tools_and_forms_and_thoughts_are_each_ones_own(strict: Api) -> None:
    script = Script(["答"], thoughts=["想"])
    body = answered(strict.chat(model=ABLE, messages=script.messages, n=2))
    for choice in body["choices"]:
        message = choice["message"]
        assert (message["reasoning_content"], message["content"]) == ("想", "答")
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] == 2


def test_seeds_are_apart_and_repeatable(strict: Api, upstream: Upstream) -> None:
    script = Script(["好"])
    answered(strict.chat(model=CHAT, messages=script.messages, n=4, seed=8))
    assert sorted(each.body["seed"] for each in upstream.attempts(script)) == [8, 9, 10, 11]


def test_where_one_fails_nothing_is_charged(strict: Api, books: Books) -> None:
    script = Script(["好"], fault="status", status=400, again=[Script(["好"])])
    reply = strict.chat(model=CHAT, messages=script.messages, n=2)
    refused(reply, 500, "Internal_error", "dispatch_internal_error")
    books.free(reply.headers["x-request-id"])
    assert strict.chat(model=DOWN, n=2).status == 503


def test_the_hold_covers_all_of_them(strict: Api, books: Books) -> None:
    held = []
    for n in (1, 8):
        slow = Script(["慢"] * 100, rate=20)
        asked = {"model": CHAT, "messages": slow.messages, "n": n, "max_tokens": 2000}
        with strict.streaming(**asked) as (_, live):
            next(live)
            held.append(books.shown()["held"])
        books.settled()
    assert held[1] > 7 * held[0]


def test_a_client_that_leaves_pays_for_what_each_had_made(strict: Api, books: Books) -> None:
    slow = Script(["慢"] * 1000, rate=20, prompt_tokens=10)
    with strict.streaming(model=CHAT, messages=slow.messages, n=2) as (stream, live):
        taken = 0
        while taken < 20:
            stream.take(next(live))
            taken = sum(bool(each["choices"][0]["delta"]["content"]) for each in stream.chunks)
    request_id = stream.headers["x-request-id"]
    entry = books.usage(request_id)
    assert entry["prompt_tokens"] > 0
    assert 20 <= entry["completion_tokens"] < 1000


@pytest.mark.parametrize("n", [0, 9, -1, 1.5, "2", 10**30])
def test_out_of_range(strict: Api, n: Any) -> None:
    malformed(strict.chat(model=CHAT, n=n), "n is", "[1, 8]", param="n")


def test_the_documented_dialect_has_one(api: Api) -> None:
    for n in (0, 2):
        malformed(api.at(DOCUMENTED).chat(model=CHAT, n=n), "n is", param="n")


def test_openai_client(strict: Api) -> None:
    script = Script(["好"])
    with OpenAI(base_url=strict.url + STRICT, api_key=strict.token, max_retries=0) as client:
        answer = client.chat.completions.create(
            model=CHAT, messages=[{"role": "user", "content": script.prompt}], n=3
        )
    assert [choice.message.content for choice in answer.choices] == ["好"] * 3


@pytest.mark.embedded
def test_the_embedded_engine_reads_the_prompt_once(strict: Api) -> None:
    question = "请用一句话介绍北京。" * 20
    messages = [{"role": "user", "content": question}]
    asked = {"messages": messages, "max_tokens": 8, "temperature": 0}
    one = answered(strict.chat(model="ernie-3.5-8k", **asked))["usage"]
    two = answered(strict.chat(model="ernie-3.5-8k", n=2, **asked))["usage"]
    assert two["prompt_tokens"] == one["prompt_tokens"]
    assert two["completion_tokens"] == 2 * one["completion_tokens"]
