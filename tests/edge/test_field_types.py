"""Every field of the wrong type, at both mounts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.expect import bad_messages, malformed
from tests.kit.models import CHAT
from xinghe.api.chat.schema import ChatBody

pytestmark = pytest.mark.usefixtures("free_of_charge")

VALUES: dict[str, list[Any]] = {
    "zero": ["1", "", True, False, 1.5, [], [1], {}, 1],
    "number": ["0.5", "", True, [], [0.5], {}, {"a": 1}],
    "integer": ["1", "", True, False, 1.5, [], [1], {}],
    "boolean": ["true", "", 0, 1, 0.0, [], [True], {}],
    "string": [0, 1.5, True, [], ["x"], {}],
    "choice": [0, 1.5, True, [], ["low"], {}, "", "much"],
    "strings": [0, True, {}, {"a": 1}, [1], [None], [""], [["x"]], [{}], ["a"] * 5, ""],
}
FIELDS = {
    "number": ["temperature", "top_p", "penalty_score", "frequency_penalty", "presence_penalty"],
    "integer": ["seed", "max_completion_tokens", "max_tokens", "thinking_budget", "n"],
    "zero": ["top_logprobs"],
    "boolean": ["stream", "logprobs", "parallel_tool_calls", "enable_thinking"],
    "string": ["user", "user_id"],
    "choice": ["reasoning_effort"],
    "strings": ["stop"],
}
STRUCTURED_VALUES: dict[str, list[Any]] = {
    "model": [0, 7, True, ["x"], {}, {"id": "x"}],
    "stream_options": [0, True, "x", [], [1]],
    "response_format": [0, True, [], ["text"], {}, {"type": 7}, {"type": "xml"}, "xml", ""],
    "tools": [0, True, "x", {}, {"type": "function"}],
    "functions": [0, True, "x", {}],
    "tool_choice": [0, True, "required", "", [], {}, {"type": "function"}],
    "function_call": [0, True, "", [], {}, {"name": "f"}],
    "web_search": [0, True, "x", [], [1], {"enable": 1}, {"enable": "true"}],
    "thinking": [0, True, "enabled", [], {}, {"type": "on"}, {"type": "auto", "budget_tokens": 0}],
    "logit_bias": [0, True, "x", [], {"50256": -100}],
    "messages": [0, True, "x", {}, {"role": "user", "content": "x"}],
}
ROLES: list[Any] = [None, 0, True, "", "User", [], {}, ["user"]]
CONTENTS: list[Any] = [0, True, {}, [1], ["x"], [None]]
PARTS: list[Any] = [{}, {"type": "text"}, {"type": "text", "text": 1}, {"type": 1}, {"type": []}]
NAMES: list[Any] = [0, True, [], {}]
MESSAGES: list[Any] = [
    *[None, 0, True, "x", [], {}, {"content": "x"}, {"role": "user"}],
    *({"role": role, "content": "x"} for role in ROLES),
    *({"role": "user", "content": content} for content in CONTENTS),
    *({"role": "user", "content": [part]} for part in PARTS),
    *({"role": "user", "content": "x", "name": name} for name in NAMES),
]


def cases() -> list[tuple[str, Any]]:
    found = [(name, value) for name, of in STRUCTURED_VALUES.items() for value in of]
    return found + [
        (name, value) for kind, names in FIELDS.items() for name in names for value in VALUES[kind]
    ]


def test_every_field_is_tried() -> None:
    assert {name for name, _ in cases()} == set(ChatBody.__struct_encode_fields__)


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
@pytest.mark.parametrize(("field", "value"), cases())
def test_field(api: Api, mount: str, field: str, value: Any) -> None:
    reply = api.at(mount).chat(**{"model": CHAT, field: value})
    malformed(reply, field, "allowed")
    assert reply.json["error"]["param"].split("[")[0].split(".")[0] == field


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
@pytest.mark.parametrize("message", MESSAGES, ids=str)
def test_message(api: Api, mount: str, message: Any) -> None:
    bad_messages(api.at(mount).chat(model=CHAT, messages=[message]), 0)
