"""The message rules of section 4.1.2 at the documented mount, each with its refusal."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.api import ALIAS, Api
from tests.kit.expect import answered, bad_messages, malformed
from tests.kit.models import CHAT
from tests.kit.script import Script

Turn = dict[str, Any]


def turn(role: str, content: Any = "内容", **more: Any) -> Turn:
    return {"role": role, "content": content, **more}


USER, ASSISTANT, SYSTEM = turn("user"), turn("assistant"), turn("system")

BREACHES: list[tuple[str, list[Turn], int | None]] = [
    ("none at all", [], None),
    ("first is an assistant", [ASSISTANT, USER], 0),
    ("first is a function", [turn("function", name="f"), ASSISTANT, USER], 0),
    ("only a system", [SYSTEM], 0),
    ("last is an assistant", [USER, ASSISTANT], 1),
    ("last is a system", [USER, ASSISTANT, SYSTEM], 2),
    ("two users in a row", [USER, USER], 1),
    ("two users in a row, later", [USER, ASSISTANT, USER, USER], 3),
    ("two assistants in a row", [USER, ASSISTANT, ASSISTANT, USER], 2),
    ("two systems", [SYSTEM, SYSTEM, USER], 1),
    ("a system in the middle", [USER, SYSTEM, USER], 1),
    ("an assistant after the system", [SYSTEM, ASSISTANT, USER], 1),
    ("an unknown role", [turn("narrator")], 0),
    ("a role of OpenAI's only", [turn("developer"), USER], 0),
    ("empty content", [USER, turn("assistant", ""), USER], 1),
    ("empty last content", [turn("user", "")], 0),
    ("no content", [{"role": "user"}], 0),
    ("null content", [turn("user", None)], 0),
    ("null content of an assistant", [USER, turn("assistant", None), USER], 1),
    ("an empty list of parts", [turn("user", [])], 0),
    ("blank last content", [USER, ASSISTANT, turn("user", " \n\r\f\t")], 2),
    ("blank last part", [turn("user", [{"type": "text", "text": "  "}])], 0),
    ("a part of unknown type", [turn("user", [{"type": "smell", "text": "x"}])], 0),
    ("no role", [{"content": "内容"}], 0),
    ("last is a function", [USER, ASSISTANT, turn("function", name="f")], 2),
]


@pytest.mark.parametrize(
    ("messages", "index"), [case[1:] for case in BREACHES], ids=[case[0] for case in BREACHES]
)
@pytest.mark.parametrize("stream", [False, True])
def test_breach(api: Api, messages: list[Turn], index: int | None, stream: bool) -> None:
    bad_messages(api.chat(model=CHAT, messages=messages, stream=stream), index)


def test_alias_mount_has_the_same_rules(api: Api) -> None:
    bad_messages(api.at(ALIAS).chat(model=CHAT, messages=[USER, USER]), 1)


@pytest.mark.parametrize("model", ["ernie-4.5-turbo-32k", "ernie-x1-32k-preview"])
def test_models_that_want_a_user_last(api: Api, model: str) -> None:
    history = [USER, ASSISTANT, turn("function", name="f")]
    bad_messages(api.chat(model=model, messages=history), 2)


def test_function_between_users_is_refused_for_ernie_4_5(api: Api) -> None:
    history = [USER, ASSISTANT, turn("function", name="f"), ASSISTANT, USER]
    bad_messages(api.chat(model="ernie-4.5-turbo-32k", messages=history), 2)


@pytest.mark.parametrize(
    "before",
    [
        [],
        [SYSTEM],
        [USER, ASSISTANT],
        [SYSTEM, USER, ASSISTANT],
        [USER, ASSISTANT, turn("function", name="f"), ASSISTANT],
        [turn("user", name="小明"), ASSISTANT],
        [turn("user", " "), ASSISTANT],
    ],
)
def test_taken(api: Api, before: list[Turn]) -> None:
    answered(api.chat(model=CHAT, messages=[*before, *Script().messages]))


@pytest.mark.parametrize("value", ["你好", 7, {"role": "user", "content": "你好"}])
def test_messages_of_the_wrong_type(api: Api, value: object) -> None:
    malformed(api.chat(model=CHAT, messages=value), "messages")


@pytest.mark.parametrize("value", ["你好", 7, None])
def test_a_message_of_the_wrong_type(api: Api, value: object) -> None:
    reply = api.chat(model=CHAT, messages=[USER, value])
    assert reply.status == 400
    assert reply.json["error"]["code"] in {"malformed_json", "invalid_messages"}
    assert "1" in reply.json["error"]["message"]
