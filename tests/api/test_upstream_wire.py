"""An upstream's stream may be cut and dressed in many ways; the answer is the same."""

from __future__ import annotations

from typing import get_args

import pytest

from tests.kit.api import Api
from tests.kit.expect import answered
from tests.kit.models import CHAT
from tests.kit.script import Script, Wire

PIECES = ["你好", "\U0001f468\u200d\U0001f469", "\u2028", '"\\\n', "data: x\n\n", "\r\n", "é"]


@pytest.mark.parametrize("wire", get_args(Wire))
def test_stream(api: Api, wire: Wire) -> None:
    script = Script(pieces=PIECES, wire=wire)
    stream = api.stream(model=CHAT, messages=script.messages)
    assert stream.content == script.text
    assert stream.finish_reason == "normal"
    assert stream.usage is not None
    assert stream.usage["completion_tokens"] == len(PIECES)
    assert stream.done


@pytest.mark.parametrize("wire", get_args(Wire))
def test_whole_answer(api: Api, wire: Wire) -> None:
    script = Script(pieces=PIECES, wire=wire)
    body = answered(api.chat(model=CHAT, messages=script.messages))
    assert body["choices"][0]["message"]["content"] == script.text
    assert body["usage"]["completion_tokens"] == len(PIECES)


def test_upstream_without_usage(api: Api) -> None:
    # What the upstream does not report, the platform counts itself: a fragment is a token.
    script = Script(pieces=list("一二三四五"), usage=False)
    usage = answered(api.chat(model=CHAT, messages=script.messages))["usage"]
    assert usage["completion_tokens"] == 5
    assert 0 < usage["prompt_tokens"] <= len(script.prompt.encode()) + 100
    streamed = api.stream(model=CHAT, messages=script.messages).usage
    assert streamed is not None
    assert streamed["completion_tokens"] == 5


def test_upstream_that_ends_by_length(api: Api) -> None:
    script = Script(pieces=["好"], finish="length")
    body = answered(api.chat(model=CHAT, messages=script.messages))
    assert body["choices"][0]["finish_reason"] == "length"


def test_long_answer_in_one_write(api: Api) -> None:
    script = Script(pieces=["long" * 25 + " "] * 400, wire="one_write")
    assert api.stream(model=CHAT, messages=script.messages).content == script.text
