"""A streamed chat completion, event by event."""

from __future__ import annotations

import pytest

from tests.kit.api import ALIAS, DOCUMENTED, STRICT, Api
from tests.kit.expect import REQUEST_ID
from tests.kit.models import ABLE, CHAT
from tests.kit.script import Call, Script
from tests.kit.sse import Stream

MOUNTS = [DOCUMENTED, ALIAS, STRICT]
PIECES = ["你", "好", ",", "世", "界", "\n\n", "\U0001f600", '"\\']


def told(api: Api, **fields: object) -> Stream:
    script = Script(pieces=PIECES, prompt_tokens=10)
    return api.stream(model=CHAT, messages=script.messages, **fields)


@pytest.mark.parametrize("mount", MOUNTS)
def test_text_arrives_whole_and_ends_with_done(api: Api, mount: str) -> None:
    stream = told(api.at(mount))
    assert stream.content == "".join(PIECES)
    assert stream.done
    assert stream.errors == []


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
def test_no_text_ends_a_line_of_an_event(api: Api, mount: str) -> None:
    """The reader cuts lines as Python does: U+0085, U+2028 and U+2029 end them, too."""
    ends = "字\x85a\u2028\u2029\x0b\x0c\x1c\x1d\x1e\r\n尾"
    call = Call("look", ['{"a', ends[:2], ends[2:5], '": "é"}'])
    script = Script(pieces=[ends[:2], ends[2:]], thoughts=[ends], calls=[call])
    look = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    stream = api.at(mount).stream(model=ABLE, messages=script.messages, tools=[look])
    assert stream.content == ends
    deltas = [choice["delta"] for choice in stream.choices]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == ends
    said = [call for delta in deltas for call in delta.get("tool_calls", [])]
    assert "".join(call["function"]["arguments"] for call in said) == "".join(call.arguments)


@pytest.mark.parametrize("mount", MOUNTS)
def test_fields_of_every_chunk(api: Api, mount: str) -> None:
    stream = told(api.at(mount))
    assert REQUEST_ID.fullmatch(stream.headers["x-request-id"])
    for chunk in stream.chunks:
        assert chunk["id"] == stream.headers["x-request-id"]
        assert chunk["object"] == "chat.completion.chunk"
        assert chunk["model"] == CHAT
        assert chunk["created"] == stream.chunks[0]["created"]
    for choice in stream.choices:
        assert choice["index"] == 0
        assert isinstance(choice["delta"]["content"], str)
        assert "flag" not in choice
        assert "search_results" not in choice
    assert stream.choices[0]["delta"]["role"] == "assistant"


@pytest.mark.parametrize("mount", MOUNTS)
def test_only_the_last_chunk_has_a_finish_reason(api: Api, mount: str) -> None:
    reasons = [choice["finish_reason"] for choice in told(api.at(mount)).choices]
    assert reasons[:-1] == [None] * (len(reasons) - 1)
    assert reasons[-1] == ("stop" if mount == STRICT else "normal")


@pytest.mark.parametrize("mount", [DOCUMENTED, ALIAS])
def test_without_include_usage_it_rides_on_the_finish_chunk(api: Api, mount: str) -> None:
    chunks = told(api.at(mount)).chunks
    assert all(chunk["choices"] for chunk in chunks)
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1]["choices"][0]["finish_reason"]
    assert chunks[-1]["usage"]["prompt_tokens"] == 10
    assert chunks[-1]["usage"]["completion_tokens"] == len(PIECES)


def test_strict_mount_has_no_usage_unless_asked(api: Api) -> None:
    assert told(api.at(STRICT)).usage is None


@pytest.mark.parametrize("mount", MOUNTS)
def test_with_include_usage_the_last_chunk_has_no_choices(api: Api, mount: str) -> None:
    chunks = told(api.at(mount), stream_options={"include_usage": True}).chunks
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] == 10 + len(PIECES)
    assert chunks[-2]["choices"][0]["finish_reason"]


def test_usage_has_the_details_of_a_whole_answer(api: Api) -> None:
    usage = told(api).usage
    assert usage is not None
    assert set(usage["prompt_tokens_details"]) >= {"cached_tokens", "search_tokens"}
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 0


def test_text_is_passed_on_as_it_is_made(api: Api) -> None:
    script = Script(pieces=list("一二三四五六七八"), rate=8)
    with api.streaming(model=CHAT, messages=script.messages) as (stream, live):
        for event in live:
            stream.take(event)
            if "一" in event:
                break
        assert "八" not in stream.content
        for event in live:
            stream.take(event)
    assert stream.content == script.text


def test_stream_false_and_null_do_not_stream(api: Api) -> None:
    for value in (False, None):
        assert api.chat(model=CHAT, stream=value).json["object"] == "chat.completion"
