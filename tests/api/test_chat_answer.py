"""A chat completion that does not stream: every field of section 4.1.3."""

from __future__ import annotations

import time

import pytest

from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.expect import answered
from tests.kit.models import CHAT
from tests.kit.script import Script
from tests.kit.upstream import Upstream


def test_fields_of_the_answer(api: Api) -> None:
    script = Script(pieces=["你", "好"], prompt_tokens=10, cached_tokens=4)
    before = int(time.time())
    body = answered(api.chat(model=CHAT, messages=script.messages))
    assert set(body) == {"id", "object", "created", "model", "choices", "usage"}
    assert body["object"] == "chat.completion"
    assert before <= body["created"] <= time.time()
    assert body["model"] == CHAT
    (choice,) = body["choices"]
    assert choice["index"] == 0
    assert choice["message"]["role"] == "assistant"
    assert choice["message"]["content"] == "你好"
    assert choice["finish_reason"] == "normal"
    assert choice["flag"] == 0
    assert "ban_round" not in choice


def test_usage_with_its_details(api: Api) -> None:
    script = Script(pieces=["你", "好"], prompt_tokens=10, cached_tokens=4)
    usage = answered(api.chat(model=CHAT, messages=script.messages))["usage"]
    assert usage["prompt_tokens"] == 10
    assert usage["completion_tokens"] == 2
    assert usage["total_tokens"] == 12
    assert usage["prompt_tokens_details"]["cached_tokens"] == 4
    assert usage["prompt_tokens_details"]["search_tokens"] == 0
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 0


def test_strict_mount_adds_nothing_of_its_own(api: Api) -> None:
    body = answered(api.at(STRICT).chat(model=CHAT, messages=Script().messages))
    (choice,) = body["choices"]
    assert "flag" not in choice
    assert "ban_round" not in choice


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
def test_every_request_has_an_id_of_its_own(api: Api, mount: str) -> None:
    ids = {answered(api.at(mount).chat(model=CHAT))["id"] for _ in range(5)}
    assert len(ids) == 5


def test_served_by_names_what_answered(api: Api) -> None:
    reply = api.chat(model=CHAT)
    assert answered(reply)["model"] == CHAT
    assert "scripted" in reply.headers["x-served-by"]


def test_content_as_a_list_of_text_parts(api: Api, upstream: Upstream) -> None:
    script = Script(pieces=["好"])
    # Cut where JSON allows a space: whatever the parts are joined with, the script stays whole.
    cut = script.prompt.index(',"rate"')
    parts = [
        {"type": "text", "text": script.prompt[:cut]},
        {"type": "text", "text": script.prompt[cut:]},
    ]
    body = answered(api.chat(model=CHAT, messages=[{"role": "user", "content": parts}]))
    assert body["choices"][0]["message"]["content"] == "好"
    assert upstream.received(script).body["model"] == "scripted"


def test_conversation_reaches_the_engine_unchanged(api: Api, upstream: Upstream) -> None:
    script = Script()
    messages = [
        {"role": "system", "content": "你是助手\u3000\n\t\U0001f600"},
        {"role": "user", "content": "一"},
        {"role": "assistant", "content": "二"},
        *script.messages,
    ]
    answered(api.chat(model=CHAT, messages=messages))
    seen = upstream.received(script).body["messages"]
    assert [(m["role"], m["content"]) for m in seen] == [
        (m["role"], m["content"]) for m in messages
    ]


def test_platform_token_never_reaches_the_upstream(api: Api, upstream: Upstream) -> None:
    script = Script()
    answered(api.chat(model=CHAT, messages=script.messages))
    seen = upstream.received(script)
    assert seen.headers["authorization"] == "Bearer sk-upstream"
    assert api.token is not None
    assert api.token not in repr(seen)
