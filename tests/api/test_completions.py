"""`POST /v1/completions`: a prompt answered as a text, whole and as a stream."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import OpenAI

from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import malformed, refused
from tests.kit.models import CHAT
from tests.kit.raw import Reply
from tests.kit.script import Script
from tests.kit.server import Server

PIECES = ["你", "好", "\u2028", '"\\', "\U0001f600"]


@pytest.fixture
def strict(api: Api) -> Api:
    return api.at(STRICT)


def prompt(**script: Any) -> str:
    content: str = Script(**{"pieces": PIECES, **script}).messages[0]["content"]
    return content


def complete(api: Api, asked: Any = None, **fields: Any) -> Reply:
    asked = prompt() if asked is None else asked
    return api.post("/completions", {"model": CHAT, "prompt": asked, "max_tokens": 64, **fields})


@pytest.mark.parametrize("as_list", [False, True])
def test_shape(strict: Api, books: Books, as_list: bool) -> None:
    asked = prompt(thoughts=["想"])
    reply = complete(strict, [asked] if as_list else asked)
    assert reply.status == 200, reply.text
    body = reply.json
    assert set(body) == {"id", "object", "created", "model", "choices", "usage"}
    assert (body["id"], body["object"]) == (reply.headers["x-request-id"], "text_completion")
    assert body["choices"] == [
        {"text": "".join(PIECES), "index": 0, "logprobs": None, "finish_reason": "stop"}
    ]
    entry = books.usage(body["id"])
    assert entry["completion_tokens"] == body["usage"]["completion_tokens"] > 0


def events(reply: Reply) -> list[dict[str, Any]]:
    lines = reply.body.decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2] if line[:1] != ":"]


@pytest.mark.parametrize("usage", [False, True])
def test_stream(strict: Api, usage: bool) -> None:
    options = {"stream_options": {"include_usage": True}} if usage else {}
    reply = complete(strict, stream=True, **options)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert "\u2028" not in reply.body.decode()
    chunks = events(reply)
    for chunk in chunks:
        assert (chunk["object"], chunk["model"]) == ("text_completion", CHAT)
        assert chunk["id"] == reply.headers["x-request-id"]
    if usage:
        last = chunks.pop()
        assert last["choices"] == []
        assert last["usage"]["total_tokens"] > 0
        assert {chunk["usage"] for chunk in chunks} == {None}
    else:
        assert not any("usage" in chunk for chunk in chunks)
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert "".join(choice["text"] for choice in choices) == "".join(PIECES)
    assert [choice["finish_reason"] for choice in choices[:-1]] == [None] * (len(choices) - 1)
    assert choices[-1]["finish_reason"] == "stop"


def test_a_length_is_openai_s_unless_told(strict: Api) -> None:
    pieces = ["字"] * 40
    for fields, characters in (({}, 16), ({"max_tokens": 3}, 3)):
        body = {"model": CHAT, "prompt": prompt(pieces=pieces), **fields}
        (choice,) = strict.post("/completions", body).json["choices"]
        assert (choice["text"], choice["finish_reason"]) == ("字" * characters, "length")
    reply = complete(strict, max_tokens=10**9)
    assert reply.status == 200
    assert reply.headers["x-adjusted-parameters"].startswith("max_tokens=")


@pytest.mark.parametrize("stream", [False, True])
def test_several_answers(strict: Api, stream: bool) -> None:
    options = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    reply = complete(strict, n=3, best_of=3, **options)
    chunks = events(reply) if stream else [reply.json]
    texts = {0: "", 1: "", 2: ""}
    reasons = []
    for choice in (choice for chunk in chunks for choice in chunk["choices"]):
        texts[choice["index"]] += choice["text"]
        reasons += [choice["finish_reason"]] if choice["finish_reason"] else []
    assert set(texts.values()) == {"".join(PIECES)}
    assert reasons == ["stop"] * 3
    assert sum(bool(chunk.get("usage")) for chunk in chunks) == 1


def test_stop(strict: Api) -> None:
    (choice,) = complete(strict, stop=["好"]).json["choices"]
    assert (choice["text"], choice["finish_reason"]) == ("你", "stop")


def test_a_refusal_of_the_model(strict: Api) -> None:
    (choice,) = complete(strict, prompt(pieces=["不行"], refuses=True)).json["choices"]
    assert (choice["text"], choice["finish_reason"]) == ("不行", "content_filter")


@pytest.mark.parametrize(
    ("field", "value"), [("suffix", "尾"), ("logprobs", 0), ("echo", True), ("best_of", 2)]
)
def test_what_a_chat_has_not_is_refused(strict: Api, books: Books, field: str, value: Any) -> None:
    reply = complete(strict, **{field: value})
    refused(reply, 400, "invalid_request_error", "unsupported_parameter", field, param=field)
    books.free(reply.json["id"])


def test_fields_that_say_nothing(strict: Api) -> None:
    reply = complete(
        strict, suffix="", logprobs=None, echo=False, n=1, best_of=1, logit_bias={}, user="",
        temperature=2, seed=-1, frequency_penalty=0, presence_penalty=0, top_p=1,
    )  # fmt: skip
    assert reply.status == 200, reply.text
    assert "x-ignored-parameters" not in reply.headers
    assert complete(strict, top_k=1).headers["x-ignored-parameters"] == "top_k"


@pytest.mark.parametrize(
    ("field", "value", "param"),
    [
        ("prompt", "", "prompt"),
        ("prompt", [], "prompt"),
        ("prompt", ["a"] * 17, "prompt"),
        ("prompt", ["a", ""], "prompt[1]"),
        ("prompt", ["a", None], "prompt[1]"),
        ("prompt", [["a"]], "prompt[0]"),
        ("logprobs", 6, "logprobs"),
        ("logprobs", -1, "logprobs"),
        ("logprobs", True, "logprobs"),
        ("prompt", [""], "prompt[0]"),
        ("prompt", {"text": "a"}, "prompt"),
        ("n", 9, "n"),
        ("best_of", 0, "best_of"),
        ("max_tokens", 0, "max_tokens"),
        ("temperature", 2.5, "temperature"),
        ("logprobs", "yes", "logprobs"),
        ("logit_bias", {"1": 1}, "logit_bias"),
        ("stop", ["a"] * 5, "stop"),
        ("stream_options", {"include_usage": True}, "stream_options"),
        ("stream", "yes", "stream"),
    ],
)
def test_a_wrong_value_is_named(strict: Api, field: str, value: Any, param: str) -> None:
    malformed(complete(strict, **{field: value}), field, "allowed", param=param)


@pytest.mark.parametrize("value", [[1, 2], [[1, 2]], ["a", [1]], [1] * 99])
def test_token_ids_are_refused_by_name(strict: Api, value: Any) -> None:
    malformed(complete(strict, value), "prompt is an array", "token ids", param="prompt")


def test_a_long_prompt_is_refused_as_such(strict: Api) -> None:
    reply = complete(strict, "a" * 600_000)
    refused(reply, 400, "invalid_request_error", "characters_too_long", param="prompt")


def test_models_and_mounts(strict: Api) -> None:
    malformed(complete(strict, model="embedding-v1"), "chat", "embedding", param="model")
    refused(complete(strict, model="x"), 404, "invalid_request_error", "no_such_model")
    refused(
        complete(strict.at(DOCUMENTED)), 404, "invalid_request_error", "no_such_path", "/v1 alone"
    )


def test_official_client(server: Server, token: str) -> None:
    with OpenAI(base_url=server.url + STRICT, api_key=token, max_retries=0) as client:
        made = client.completions.create(model=CHAT, prompt=prompt(), max_tokens=64)
        assert made.choices[0].text == "".join(PIECES)
        told = client.completions.create(model=CHAT, prompt=prompt(), max_tokens=64, stream=True)
        assert "".join(each.choices[0].text for each in told) == "".join(PIECES)
