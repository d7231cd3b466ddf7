"""An upstream that fails: the client learns that it failed, and nothing else."""

from __future__ import annotations

import urllib.request
from typing import Any, Literal

import pytest

from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import answered, away, broke_off, no_engine, refused
from tests.kit.models import ABLE, CHAT, DOWN, QUIET
from tests.kit.raw import Reply
from tests.kit.script import Fault, Script
from tests.kit.server import Server
from tests.kit.sse import stream_of
from xinghe.generation.moderation import REFUSAL

BEFORE_THE_FIRST_TOKEN = [
    *(Script(fault="status", status=status) for status in (400, 401, 404, 500, 502)),
    Script(fault="reset"),
    Script(fault="truncate"),
    Script(fault="garbage"),
    Script(fault="error_event"),
    Script(fault="not_sse"),
]
NAMES = [f"{s.fault}-{s.status}" for s in BEFORE_THE_FIRST_TOKEN]

MIDSTREAM: list[Fault] = ["reset", "truncate", "garbage", "error_event"]


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
@pytest.mark.parametrize("script", BEFORE_THE_FIRST_TOKEN, ids=NAMES)
def test_answer_that_never_began(api: Api, mount: str, script: Script) -> None:
    reply = api.at(mount).chat(model=CHAT, messages=script.messages)
    if script.fault == "status" and script.status >= 500:
        away(reply)  # it did not begin, and may yet
        assert (reply.status == 503) == (mount == STRICT)
    else:
        no_engine(reply)
        assert "retry-after" not in reply.headers


@pytest.mark.parametrize("script", BEFORE_THE_FIRST_TOKEN, ids=NAMES)
def test_stream_that_never_began(api: Api, script: Script) -> None:
    failed_without_text(api.chat(model=CHAT, messages=script.messages, stream=True))


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
@pytest.mark.parametrize("fault", MIDSTREAM)
def test_stream_that_had_begun(api: Api, mount: str, fault: Fault) -> None:
    script = Script(pieces=list("一二三四五"), rate=20, fault=fault, after=3)
    stream = api.at(mount).stream(model=CHAT, messages=script.messages)
    broke_off(stream)
    assert stream.content == "一二三"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [429, 503])
def test_upstream_that_is_full(api: Api, status: int, stream: bool) -> None:
    # Both say "come back later": the model's engines are full, which is a row of its own.
    script = Script(fault="status", status=status)
    reply = api.chat(model=CHAT, messages=script.messages, stream=stream)
    refused(reply, 429, "rate_limit_exceeded", "cluster_rate_limit_exceeded")
    assert int(reply.headers["retry-after"]) >= 1


@pytest.mark.parametrize("fault", MIDSTREAM)
def test_whole_answer_that_breaks_midway(api: Api, fault: Fault) -> None:
    script = Script(pieces=list("一二三四五"), fault=fault, after=3)
    no_engine(api.chat(model=CHAT, messages=script.messages))


def test_upstream_that_is_down(api: Api) -> None:
    no_engine(api.chat(model=DOWN))
    failed_without_text(api.chat(model=DOWN, stream=True))


def test_upstream_that_falls_silent(api: Api) -> None:
    no_engine(api.chat(model=QUIET, messages=Script(delay=30).messages))


def test_failure_is_free_and_leaves_no_hold(api: Api, books: Books) -> None:
    failed = api.chat(model=CHAT, messages=Script(fault="status", status=500).messages)
    script = Script(pieces=list("一二三"), fault="reset", after=2)
    broken = api.chat(model=CHAT, messages=script.messages)
    unseen = api.chat(model=CHAT, messages=Script(fault="truncate").messages, stream=True)
    for reply in (failed, broken, unseen):
        books.free(reply.headers["x-request-id"])


@pytest.mark.parametrize("fault", MIDSTREAM)
def test_stream_that_broke_off_is_charged_for_what_it_showed(
    api: Api, books: Books, fault: Fault
) -> None:
    script = Script(pieces=list("一二三四五"), rate=20, fault=fault, after=3)
    stream = api.stream(model=CHAT, messages=script.messages)
    broke_off(stream)
    entry = books.usage(stream.headers["x-request-id"])
    assert entry["completion_tokens"] == len(stream.content) == 3
    assert entry["prompt_tokens"] > 0
    books.settled()


def test_next_request_is_served(api: Api) -> None:
    no_engine(api.chat(model=CHAT, messages=Script(fault="reset").messages))
    answered(api.chat(model=CHAT, messages=Script().messages))


def failed_without_text(reply: Reply) -> None:
    """A 500; or, where a comment has opened the stream already, its one error event."""
    if reply.status != 200:
        no_engine(reply)
        return
    stream = stream_of(reply)
    assert stream.content == ""
    broke_off(stream)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
def test_prompt_that_is_too_long_for_the_upstream_alone(
    api: Api, books: Books, mount: str, stream: bool
) -> None:
    """It counts with a tokenizer of its own, and its context may be the smaller one."""
    script = Script(fault="status", status=400, code="context_length_exceeded")
    reply = api.at(mount).chat(model=CHAT, messages=script.messages, stream=stream)
    refused(reply, 400, "invalid_request_error", "tokens_too_long", "Prompt tokens too long")
    assert reply.json["error"]["param"] == "messages"
    books.free(reply.headers["x-request-id"])


@pytest.mark.parametrize("stream", [False, True])
def test_prompt_that_is_too_long_told_within_the_stream(
    api: Api, books: Books, stream: bool
) -> None:
    script = Script(fault="error_event", code="context_length_exceeded")
    reply = api.chat(model=CHAT, messages=script.messages, stream=stream)
    refused(reply, 400, "invalid_request_error", "tokens_too_long", "Prompt tokens too long")
    books.free(reply.headers["x-request-id"])
    script = Script(["好。"] * 9, fault="error_event", after=6, code="context_length_exceeded")
    broke_off(api.stream(model=CHAT, messages=script.messages))


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
@pytest.mark.parametrize("fault", ["status", "error_event"])
def test_prompt_that_the_upstream_calls_unsafe(
    api: Api, books: Books, mount: str, fault: Literal["status", "error_event"]
) -> None:
    """The document's refusal of a conversation, with our words and at no cost."""
    script = Script(fault=fault, status=400, code="content_filter")
    body = answered(api.at(mount).chat(model=CHAT, messages=script.messages))
    (choice,) = body["choices"]
    assert choice["finish_reason"] == "content_filter"
    assert choice["message"]["content"] == REFUSAL
    stream = api.at(mount).stream(model=CHAT, messages=script.messages)
    assert (stream.content, stream.finish_reason, stream.done) == (REFUSAL, "content_filter", True)
    if mount == DOCUMENTED:
        assert (choice["flag"], choice["ban_round"]) == (3, -1)
        last = stream.chunks[-1]["choices"][0]
        assert (last["flag"], last["ban_round"]) == (3, -1)
    assert body["usage"]["total_tokens"] == 0
    for request_id in (body["id"], stream.headers["x-request-id"]):
        books.free(request_id)


TOOLS = {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "required"}


@pytest.mark.parametrize("fields", [{"response_format": "json_object"}, TOOLS])
def test_unsafe_prompt_of_a_request_that_demands_a_form(api: Api, fields: dict[str, Any]) -> None:
    script = Script(fault="status", status=400, code="content_filter")
    body = answered(api.chat(model=ABLE, messages=script.messages, **fields))
    assert body["choices"][0]["message"]["content"] == REFUSAL


def test_answer_that_the_upstream_calls_unsafe(api: Api) -> None:
    """What it had said is shown and charged."""
    script = Script(fault="error_event", after=2, code="content_filter")
    stream = api.stream(model=CHAT, messages=script.messages)
    assert (stream.content, stream.finish_reason) == ("你好", "content_filter")
    assert stream.usage is not None
    assert stream.usage["completion_tokens"] == 2


@pytest.mark.parametrize("status", [401, 402, 403])
def test_what_the_operator_owes_is_told_to_the_operator(
    api: Api, server: Server, status: int
) -> None:
    """Nothing of it to the client; and whatever one client has sent, the service stays ready."""
    counted = f'xinghe_deployment_refusals_total{{deployment="scripted",status="{status}"}}'

    def count() -> float:
        lines = urllib.request.urlopen(server.metrics_url).read().decode().splitlines()
        found = [line for line in lines if line.startswith(counted)]
        return float(found[0].rpartition(" ")[2]) if found else 0.0

    before, probe = count(), api.at("").bearing(None)
    no_engine(api.chat(model=CHAT, messages=Script(fault="status", status=status).messages))
    ready = probe.get("/readyz")
    assert (ready.status, ready.json["refusals"]) == (200, {"deployment scripted": status})
    assert count() == before + 1
    answered(api.chat(model=CHAT))
    assert "refusals" not in probe.get("/readyz").json
