"""Why an answer ended: `normal stop length` where documented, `stop length` at /v1."""

from __future__ import annotations

import pytest

from tests.kit.api import ALIAS, DOCUMENTED, STRICT, Api
from tests.kit.expect import answered
from tests.kit.models import CHAT, LONG_STORY
from tests.kit.script import Script

BY_ITSELF: dict[str, object] = {}
BY_STOP: dict[str, object] = {"stop": ["四"]}
BY_LENGTH: dict[str, object] = {"max_completion_tokens": 3}

CASES = [
    (DOCUMENTED, BY_ITSELF, "normal"),
    (DOCUMENTED, BY_STOP, "stop"),
    (DOCUMENTED, BY_LENGTH, "length"),
    (ALIAS, BY_ITSELF, "normal"),
    (STRICT, BY_ITSELF, "stop"),
    (STRICT, BY_STOP, "stop"),
    (STRICT, BY_LENGTH, "length"),
]


@pytest.mark.parametrize(("mount", "fields", "reason"), CASES)
def test_finish_reason(api: Api, mount: str, fields: dict[str, object], reason: str) -> None:
    script = Script(pieces=list("一二三四五"))
    asked = {"model": CHAT, "messages": script.messages, **fields}
    body = answered(api.at(mount).chat(**asked))
    assert body["choices"][0]["finish_reason"] == reason
    assert api.at(mount).stream(**asked).finish_reason == reason


@pytest.mark.embedded
def test_length_on_the_embedded_engine(api: Api) -> None:
    messages = [{"role": "user", "content": LONG_STORY.format(number=1)}]
    body = answered(
        api.chat(model="ernie-speed-8k", messages=messages, max_tokens=4, temperature=0)
    )
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 4


@pytest.mark.embedded
def test_normal_on_the_embedded_engine(api: Api) -> None:
    messages = [{"role": "user", "content": "Answer with the one word OK and nothing else."}]
    body = answered(
        api.chat(model="ernie-speed-8k", messages=messages, max_tokens=24, temperature=0)
    )
    assert body["choices"][0]["finish_reason"] == "normal"
    assert body["choices"][0]["message"]["content"].strip()
