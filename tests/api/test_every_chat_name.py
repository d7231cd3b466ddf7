"""Each of the 19 chat names of sections 2.1–2.3 answers, and says what really answered."""

from __future__ import annotations

import pytest

from tests.api import documented
from tests.kit.api import Api
from tests.kit.expect import answered

HELLO = [{"role": "user", "content": "你好,请用一句话介绍你自己。"}]
MOST = 6
"""Tokens, of the thought and of the answer: enough to see that there is one."""


@pytest.mark.embedded
@pytest.mark.parametrize("model", documented.CHAT)
def test_answers_once(api: Api, model: str) -> None:
    reply = api.chat(model=model, messages=HELLO, max_completion_tokens=MOST, thinking_budget=MOST)
    body = answered(reply)
    assert body["model"] == model
    (choice,) = body["choices"]
    assert choice["message"]["content"].strip()
    assert choice["finish_reason"] in {"normal", "length"}
    usage = body["usage"]
    thought = usage["completion_tokens_details"]["reasoning_tokens"]
    assert 0 < usage["completion_tokens"] - thought <= MOST
    assert 0 <= thought <= MOST
    assert body["usage"]["prompt_tokens"] > 5
    assert "qwen2.5-coder-0.5b" in reply.headers["x-served-by"].lower()


def test_there_are_19() -> None:
    assert len(documented.CHAT) == 19
