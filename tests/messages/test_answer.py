"""An answer in Anthropic's form: its blocks, why it ended, what it used; whole and streamed."""

from __future__ import annotations

import pytest

from tests.kit.api import DOCUMENTED, Api
from tests.kit.books import Books
from tests.kit.expect import refused as refused_otherwise
from tests.kit.message import PATH, answered, ask, body_of, both, stream
from tests.kit.models import ABLE, CHAT, R1
from tests.kit.script import Script, Wire


def test_text(api: Api, books: Books) -> None:
    script = Script(prompt_tokens=12, cached_tokens=5)
    message = both(api, messages=script.messages)
    assert message["content"] == [{"type": "text", "text": "你好。", "citations": []}]
    assert (message["stop_reason"], message["stop_sequence"]) == ("end_turn", None)
    assert message["model"] == CHAT
    assert message["usage"] == {
        "input_tokens": 7, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 0,
        "output_tokens": 3, "output_tokens_details": None, "server_tool_use": None,
        "cache_creation": None, "inference_geo": None, "service_tier": "standard",
    }  # fmt: skip
    books.settled()


def test_it_is_charged_as_a_chat_is(api: Api, books: Books) -> None:
    script = Script(prompt_tokens=12)
    reply = ask(api, messages=script.messages)
    answered(reply)
    entry = books.usage(reply.headers["x-request-id"])
    assert (entry["prompt_tokens"], entry["completion_tokens"]) == (12, 3)
    assert entry["amount"] == -(12 + 2 * 3) * 1_000_000
    assert reply.headers["request-id"] == reply.headers["x-request-id"]


@pytest.mark.parametrize("wire", ["one_write", "bytewise", "crlf"])
def test_however_the_upstream_cuts_it(api: Api, wire: Wire) -> None:
    script = Script(pieces=["第", "一\u2028行", "\n\n", 'data: "x"', "😀"], wire=wire)
    found = stream(api, messages=script.messages)
    assert found.ended
    assert found.text == script.text


@pytest.mark.parametrize("model", [ABLE, R1])
def test_thought(api: Api, model: str) -> None:
    script = Script(thoughts=["先", "想"], pieces=["好", "。"])
    if model == R1:
        script = Script(pieces=["先", "想", "</think>", "好", "。"])
    message = both(api, model=model, messages=script.messages)
    thought, text = message["content"]
    assert (thought["type"], thought["thinking"]) == ("thinking", "先想")
    assert thought["signature"]
    assert text["text"] == "好。"
    assert message["usage"]["output_tokens_details"]["thinking_tokens"] >= 2


def test_length(api: Api) -> None:
    message = both(api, messages=Script(pieces=["字"] * 20).messages, max_tokens=5)
    assert (message["stop_reason"], message["content"][0]["text"]) == ("max_tokens", "字" * 5)


@pytest.mark.parametrize("pieces", [["一", "二", "三四", "五"], ["一二三", "四五"], ["一二三四五"]])
def test_stop_sequence(api: Api, pieces: list[str]) -> None:
    stops = ["四五", "三四", "六"]
    message = both(api, messages=Script(pieces=pieces).messages, stop_sequences=stops)
    assert message["content"][0]["text"] == "一二"
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "三四")


def test_the_models_own_refusal(api: Api) -> None:
    message = both(api, messages=Script(pieces=["我不", "能。"], refuses=True).messages)
    assert message["stop_reason"] == "refusal"
    assert message["stop_details"] == {"type": "refusal", "category": None, "explanation": None}
    assert message["content"][0]["text"] == "我不能。"


def test_nothing_said(api: Api) -> None:
    message = both(api, messages=Script(pieces=[]).messages)
    assert (message["content"], message["stop_reason"]) == ([], "end_turn")


def test_a_ping_while_the_engine_is_silent(api: Api) -> None:
    found = stream(api, messages=Script(delay=1.6).messages)
    assert found.ended
    assert [each["type"] for each in found.events].count("ping") >= 2


def test_who_answers_is_told(api: Api) -> None:
    assert ask(api).headers["x-served-by"] == "scripted/scripted"
    assert stream(api).headers["x-served-by"] == "scripted/scripted"


def test_at_v1_alone(api: Api) -> None:
    for path in (PATH, f"{PATH}/count_tokens"):
        reply = api.at(DOCUMENTED).post(path, body_of())
        refused_otherwise(
            reply, 404, "invalid_request_error", "no_such_path", "is served at /v1 alone"
        )


@pytest.mark.parametrize("key", ["x-api-key", "authorization"])
def test_either_header_holds_the_key(api: Api, key: str) -> None:
    value = api.token if key == "x-api-key" else f"Bearer {api.token}"
    assert value
    answered(ask(api.bearing(None), {key: value, "anthropic-version": "2023-06-01"}))


def test_a_query_behind_the_path(api: Api) -> None:
    answered(api.at("/v1").post(f"{PATH}?beta=true", body_of()))
