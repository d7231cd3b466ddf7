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
        ([USER, {"role": "user", "content": None, "refusal": "不"}], 1),
        ([USER, {"role": "user", "content": [{"type": "refusal", "refusal": "不"}]}], 1),
        ([USER, {"role": "assistant", "content": [{"type": "refusal", "text": "不"}]}], 1),
        ([USER, {"role": "assistant", "content": None, "refusal": 7}], 1),
    ],
)
def test_still_refused(api: Api, messages: list[dict[str, Any]], index: int | None) -> None:
    bad_messages(api.at(STRICT).chat(model=CHAT, messages=messages), index)


@pytest.mark.parametrize(
    ("said", "content"),
    [
        ({"content": None}, ""),
        ({}, ""),
        ({"content": None, "refusal": "不能。"}, "不能。"),
        ({"refusal": "不能。"}, "不能。"),
        ({"content": "", "refusal": "不能。"}, "不能。"),
        ({"content": "答", "refusal": None}, "答"),
        ({"content": [{"type": "refusal", "refusal": "不能。"}]}, "不能。"),
        (
            {"content": [{"type": "text", "text": "答"}, {"type": "refusal", "refusal": "不"}]},
            "答\n不",
        ),
    ],
)
@pytest.mark.parametrize("last", [False, True])
def test_what_an_assistant_did_not_say_or_refused(
    api: Api, upstream: Upstream, said: dict[str, Any], content: str, *, last: bool
) -> None:
    """So clients send an answer back as they got it; any server takes it as its text."""
    script = Script()
    messages = [*script.messages, {"role": "assistant", **said}, *([] if last else [USER])]
    answered(api.at(STRICT).chat(model=CHAT, messages=messages))
    received = upstream.received(script).body["messages"][1]
    assert received == {"role": "assistant", "content": content}


@pytest.mark.parametrize("mount", [STRICT, ""])
def test_an_empty_list_of_parts_is_told(api: Api, mount: str) -> None:
    messages = [{"role": "user", "content": []}]
    reply = (api.at(mount) if mount else api).chat(model=CHAT, messages=messages)
    bad_messages(reply, 0)
    assert (
        "content is an empty array, allowed: a string or a list" in reply.json["error"]["message"]
    )


@pytest.mark.embedded
@pytest.mark.parametrize(
    "ends", [[ASSISTANT], [ASSISTANT, ASSISTANT, {"role": "assistant", "content": None}]]
)
@pytest.mark.parametrize("before", [[], [USER]])
def test_last_assistant_message_on_the_embedded_engine(
    api: Api, before: list[dict[str, Any]], ends: list[dict[str, Any]]
) -> None:
    messages = [*before, *ends]
    reply = api.at(STRICT).chat(model="ernie-speed-8k", messages=messages, max_tokens=4)
    assert answered(reply)["usage"]["completion_tokens"] >= 1
