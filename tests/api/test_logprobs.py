"""`logprobs` and `top_logprobs` at `/v1`: how likely the tokens of an answer were."""

from __future__ import annotations

from typing import Any

import pytest
from openai import OpenAI

from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.expect import answered, malformed, refused
from tests.kit.models import CHAT, STEERED
from tests.kit.script import Script
from tests.kit.upstream import Upstream


@pytest.fixture
def strict(api: Api) -> Api:
    return api.at(STRICT)


def told(choice: dict[str, Any]) -> str:
    """The text that the tokens make up."""
    tokens = (choice.get("logprobs") or {}).get("content", [])
    return b"".join(bytes(each["bytes"]) for each in tokens).decode()


def streamed(api: Api, **fields: Any) -> tuple[str, str]:
    """The text of a stream, and that of the tokens which it tells of."""
    stream = api.stream(logprobs=True, **fields)
    choices = [choice for chunk in stream.chunks for choice in chunk["choices"]]
    assert stream.done
    return stream.content, "".join(map(told, choices))


@pytest.mark.parametrize("top", [None, 0, 3, 20])
def test_an_upstream_that_has_them(strict: Api, upstream: Upstream, top: int | None) -> None:
    script = Script(["你", "好", "。"])
    asked = {} if top is None else {"top_logprobs": top}
    body = answered(strict.chat(model=STEERED, messages=script.messages, logprobs=True, **asked))
    (choice,) = body["choices"]
    tokens = choice["logprobs"]["content"]
    assert [each["token"] for each in tokens] == ["你", "好", "。"]
    assert {each["logprob"] for each in tokens} == {-0.5}
    assert {len(each["top_logprobs"]) for each in tokens} == {top or 0}
    assert choice["logprobs"]["refusal"] is None
    sent = upstream.received(script).body
    assert (sent["logprobs"], sent["top_logprobs"]) == (True, top or 0)


def test_a_stream_tells_them_with_the_text(strict: Api) -> None:
    script = Script(list("一二三四"))
    text, tokens = streamed(strict, model=STEERED, messages=script.messages)
    assert text == tokens == "一二三四"


def test_what_a_stop_string_cuts_off_is_not_told(strict: Api) -> None:
    script = Script(["一", "二", "停", "止", "三"])
    asked = {"model": STEERED, "messages": script.messages, "stop": "停止"}
    assert streamed(strict, **asked) == ("一二", "一二")
    (choice,) = answered(strict.chat(logprobs=True, **asked))["choices"]
    assert told(choice) == choice["message"]["content"] == "一二"


def test_those_of_a_thought_are_no_answers(strict: Api) -> None:
    script = Script(["<think>", "想", "一想", "</think>", "\n\n", "答", "案"])
    (choice,) = answered(strict.chat(model=STEERED, messages=script.messages, logprobs=True))[
        "choices"
    ]
    assert choice["message"]["reasoning_content"] == "想一想"
    assert told(choice) == choice["message"]["content"] == "答案"


def test_each_of_several_answers_has_its_own(strict: Api) -> None:
    script = Script(["好", "的"])
    body = answered(strict.chat(model=STEERED, messages=script.messages, logprobs=True, n=2))
    assert [told(choice) for choice in body["choices"]] == ["好的"] * 2


def test_nothing_is_told_unasked(strict: Api) -> None:
    for asked in ({}, {"logprobs": False}):
        (choice,) = answered(strict.chat(model=STEERED, **asked))["choices"]
        assert choice["logprobs"] is None


def test_an_engine_that_does_not_tell_them(strict: Api) -> None:
    reply = strict.chat(model=CHAT, logprobs=True)
    refused(reply, 400, "invalid_request_error", "unsupported_parameter", CHAT, param="logprobs")


def test_what_cannot_be_meant(api: Api) -> None:
    strict = api.at(STRICT)
    malformed(strict.chat(model=STEERED, top_logprobs=2), "top_logprobs", param="top_logprobs")
    for top in (-1, 21, "2"):
        malformed(strict.chat(model=STEERED, logprobs=True, top_logprobs=top), "[0, 20]")
    malformed(api.at(DOCUMENTED).chat(model=STEERED, logprobs=True), param="logprobs")


def test_openai_client(strict: Api) -> None:
    script = Script(["好"])
    with OpenAI(base_url=strict.url + STRICT, api_key=strict.token, max_retries=0) as client:
        answer = client.chat.completions.create(
            model=STEERED,
            messages=[{"role": "user", "content": script.prompt}],
            logprobs=True,
            top_logprobs=1,
        )
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert logprobs.content[0].top_logprobs[0].token == "0"


@pytest.mark.embedded
@pytest.mark.parametrize("form", [None, {"type": "json_object"}])
def test_the_embedded_engine_has_them(strict: Api, form: dict[str, str] | None) -> None:
    asked: dict[str, Any] = {
        "model": "ernie-3.5-8k",
        "messages": [{"role": "user", "content": "用 JSON 介绍北京：name 和 population。"}],
        "max_tokens": 24,
        "temperature": 0,
    }
    if form is not None:
        asked["response_format"] = form
    body = answered(strict.chat(**asked, logprobs=True, top_logprobs=2))
    (choice,) = body["choices"]
    tokens = choice["logprobs"]["content"]
    assert told(choice).strip() == choice["message"]["content"].strip()
    assert all(-9999 <= each["logprob"] <= 0 for each in tokens)
    assert {len(each["top_logprobs"]) for each in tokens} == {2}
    # The model's own, before a penalty or a grammar has its say: so greedy may take another.
    assert all(each["logprob"] <= each["top_logprobs"][0]["logprob"] for each in tokens)
    text, streamed_tokens = streamed(strict, **asked)
    assert streamed_tokens.strip() == text.strip()
