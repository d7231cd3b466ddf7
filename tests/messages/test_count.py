"""`/messages/count_tokens`: how long a prompt is, at nobody's cost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.api import HELLO, Api
from tests.kit.books import Books
from tests.kit.message import PATH, answered, ask, malformed
from tests.kit.models import ABLE, CHAT, VISION
from tests.kit.script import Script
from tests.messages.test_conversation import image, says, text
from tests.messages.test_tools import TOOL

SMALL = "ernie-3.5-8k"
"""Served by the embedded engine."""


def count(api: Api, **fields: Any) -> int:
    reply = api.at("/v1").post(f"{PATH}/count_tokens", {"model": CHAT, "messages": HELLO, **fields})
    assert reply.status == 200, reply.text
    assert set(reply.json) == {"input_tokens"}
    found: int = reply.json["input_tokens"]
    return found


@pytest.mark.embedded
def test_what_an_answer_is_charged(api: Api, books: Books) -> None:
    """To the token, where the engine's own tokenizer counts."""
    before = books.shown()
    fields: dict[str, Any] = {"model": SMALL, "system": "简短。", "messages": HELLO}
    counted = count(api, **fields)
    assert books.shown() == before
    usage = answered(ask(api, max_tokens=2, **fields))["usage"]
    assert usage["input_tokens"] + usage["cache_read_input_tokens"] == counted
    # Tools and their use are said in the prompt.
    assert count(api, tools=[TOOL], **fields) > counted + 20
    books.settled()


def test_each_part_counts(api: Api) -> None:
    plain = count(api, model=ABLE)
    assert count(api, model=ABLE, system="请用一句话回答。") > plain
    assert count(api, model=ABLE, tools=[TOOL]) > plain
    shown = says("user", text("你好"), image())
    # 56 × 28 pixels are two patches.
    assert count(api, model=VISION, messages=[shown]) - count(api, model=VISION) == 2


def test_more_than_the_model_takes_is_counted(api: Api) -> None:
    messages = [{"role": "user", "content": "字" * 100}]
    assert count(api, model="scripted-tight", messages=messages) > 64
    malformed(ask(api, model="scripted-tight", messages=messages), "Prompt tokens too long")


def test_no_engine_is_asked_and_nothing_is_charged(api: Api, books: Books) -> None:
    before = books.shown()
    script = Script(fault="status")
    count(api, messages=script.messages)
    assert books.shown() == before


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"messages": []}, "messages must not be empty"),
        ({"temperature": 3}, "temperature is 3"),
        ({"tools": [{"type": "bash_20250124"}]}, "tools[0].type"),
        ({"tools": [{**TOOL, "input_schema": {"$ref": "http://x/y"}}]}, "tools[0].input_schema"),
    ],
)
def test_it_is_as_strict(api: Api, fields: dict[str, Any], says: str) -> None:
    body = {"model": ABLE, "messages": HELLO, **fields}
    malformed(api.at("/v1").post(f"{PATH}/count_tokens", body), says)


def test_what_has_no_effect_is_told(api: Api) -> None:
    body = {"model": CHAT, "messages": HELLO, "max_tokens": 5, "stream": True}
    reply = api.at("/v1").post(f"{PATH}/count_tokens", body)
    assert reply.headers["x-ignored-parameters"] == "max_tokens, stream"
    assert reply.headers["request-id"] == reply.headers["x-request-id"]
