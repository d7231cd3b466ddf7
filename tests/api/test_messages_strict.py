"""At /v1 the order of messages is OpenAI's: no alternation, any end, the role `developer`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.api import STRICT, Api
from tests.kit.expect import answered, bad_messages
from tests.kit.models import CHAT
from tests.kit.script import Script
from tests.kit.upstream import Upstream

USER = {"role": "user", "content": "问"}
ASSISTANT = {"role": "assistant", "content": "答"}
SYSTEM = {"role": "system", "content": "人设"}
DEVELOPER = {"role": "developer", "content": "人设"}

ORDERS: list[tuple[list[dict[str, Any]], list[dict[str, Any]]]] = [
    # (before the script, after it)
    ([USER, USER], []),
    ([SYSTEM, SYSTEM], []),
    ([USER, SYSTEM], []),
    ([ASSISTANT], []),
    ([DEVELOPER], []),
    ([], [ASSISTANT]),
    ([], [ASSISTANT, ASSISTANT]),
]


@pytest.mark.parametrize(("before", "after"), ORDERS)
def test_taken(
    api: Api, upstream: Upstream, before: list[dict[str, Any]], after: list[dict[str, Any]]
) -> None:
    script = Script()
    messages = [*before, *script.messages, *after]
    body = answered(api.at(STRICT).chat(model=CHAT, messages=messages))
    assert body["choices"][0]["message"]["content"] == script.text
    roles = [message["role"] for message in upstream.received(script).body["messages"]]
    # `developer` is `system`: engines behind us need not know the newer name.
    assert roles == [m["role"].replace("developer", "system") for m in messages]


@pytest.mark.parametrize(
    ("messages", "index"),
    [
        ([], None),
        ([{"role": "narrator", "content": "x"}], 0),
        ([USER, {"role": "user"}], 1),
        ([USER, {"role": "user", "content": None}], 1),
    ],
)
def test_still_refused(api: Api, messages: list[dict[str, Any]], index: int | None) -> None:
    bad_messages(api.at(STRICT).chat(model=CHAT, messages=messages), index)


@pytest.mark.embedded
def test_last_assistant_message_on_the_embedded_engine(api: Api) -> None:
    messages = [USER, ASSISTANT]
    reply = api.at(STRICT).chat(model="ernie-speed-8k", messages=messages, max_tokens=4)
    assert answered(reply)["usage"]["completion_tokens"] >= 1
