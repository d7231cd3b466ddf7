"""What goes upstream is what the client sent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.test_tools import ASKED, CALL, OTHER, RESULT, TOOL, WEATHER
from tests.kit.api import STRICT, Api
from tests.kit.expect import answered, bad_messages
from tests.kit.models import ABLE
from tests.kit.script import Script
from tests.kit.upstream import Upstream

DOCUMENTED = "/llm/lmapi/v3"
EMPTY = {"type": "object", "properties": {}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def sent(api: Api, upstream: Upstream, script: Script, **fields: Any) -> dict[str, Any]:
    """The upstream's view of a request that was answered."""
    answered(api.chat(**{"model": ABLE, "messages": script.messages, **fields}))
    return upstream.received(script).body


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_the_thought_behind_a_call_goes_along(
    api: Api, upstream: Upstream, mount: str, name: str
) -> None:
    """DeepSeek and Kimi refuse the next turn without it."""
    script = Script()
    asked = {**ASKED[1], name: "先查天气。"}
    said = {"role": "assistant", "content": "晴。", "reasoning_content": "好"}
    messages = [*script.messages, asked, RESULT, said, {"role": "user", "content": "谢谢"}]
    seen = sent(api.at(mount), upstream, script, messages=messages, tools=[TOOL])["messages"]
    assert seen[1] == {**ASKED[1], "reasoning_content": "先查天气。"}
    assert seen[3] == said


def test_a_thought_is_none_of_a_user(api: Api, upstream: Upstream) -> None:
    script = Script()
    messages = [{**script.messages[0], "reasoning_content": "x"}]
    assert sent(api, upstream, script, messages=messages)["messages"] == script.messages


@pytest.mark.parametrize("content", [None, "", "我查一下。"])
def test_content_beside_calls_stays_what_it_was(
    api: Api, upstream: Upstream, content: str | None
) -> None:
    script = Script()
    asked = {**ASKED[1], "content": content}
    messages = [*script.messages, asked, RESULT]
    assert sent(api, upstream, script, messages=messages)["messages"] == messages


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
def test_empty_parts_beside_calls_are_empty_content(
    api: Api, upstream: Upstream, mount: str
) -> None:
    script = Script()
    asked = {**ASKED[1], "content": [{"type": "text", "text": ""}]}
    messages = [*script.messages, asked, RESULT]
    seen = sent(api.at(mount), upstream, script, messages=messages)["messages"]
    assert seen[1] == {**ASKED[1], "content": ""}


def test_content_that_is_absent_beside_calls_is_null(api: Api, upstream: Upstream) -> None:
    script = Script()
    asked = {name: value for name, value in ASKED[1].items() if name != "content"}
    seen = sent(api, upstream, script, messages=[*script.messages, asked, RESULT])["messages"]
    assert seen[1] == ASKED[1]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ({"name": "f"}, {"name": "f", "parameters": EMPTY}),
        ({"name": "f", "parameters": {}}, {"name": "f", "parameters": EMPTY}),
        ({"name": "f", "parameters": None}, {"name": "f", "parameters": EMPTY}),
        (
            {"name": "f", "description": "", "parameters": {"type": "object"}},
            {"name": "f", "parameters": EMPTY},
        ),
        (
            {"name": "f", "description": "说明", "parameters": WEATHER, "strict": True},
            {"name": "f", "description": "说明", "parameters": WEATHER, "strict": True},
        ),
        (
            {"name": "f", "parameters": WEATHER, "strict": False},
            {"name": "f", "parameters": WEATHER, "strict": False},
        ),
    ],
)
def test_functions(
    api: Api, upstream: Upstream, function: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Parameters are a schema of an object in any case: strict upstreams refuse others."""
    script = Script()
    seen = sent(api, upstream, script, tools=[{"type": "function", "function": function}])
    assert seen["tools"] == [{"type": "function", "function": expected}]


@pytest.mark.parametrize("parallel", [True, False])
def test_parallel_calls_where_something_is_said_of_them(
    api: Api, upstream: Upstream, parallel: bool
) -> None:
    seen = sent(api, upstream, Script(), tools=[OTHER], parallel_tool_calls=parallel)
    assert seen["parallel_tool_calls"] is parallel


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("json_object", {"type": "json_object"}),
        ({"type": "json_object"}, {"type": "json_object"}),
        (
            {"type": "json_schema", "json_schema": SCHEMA},
            {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
        ),
        *(
            ({"type": "json_schema", "json_schema": said | {"schema": SCHEMA}},) * 2
            for said in (
                {"name": "person"},
                {"name": "person", "description": "谁", "strict": True},
                {"name": "person", "strict": False},
            )
        ),
    ],
)
def test_formats(api: Api, upstream: Upstream, asked: Any, expected: dict[str, Any]) -> None:
    script = Script(['{"a": 1}'])
    assert sent(api, upstream, script, response_format=asked)["response_format"] == expected


OTHER_CALL = {**ASKED[1]["tool_calls"][0], "id": "call_2"}
TWO = [ASKED[0], {**ASKED[1], "tool_calls": [*ASKED[1]["tool_calls"], OTHER_CALL]}]
SECOND = {**RESULT, "tool_call_id": "call_2"}
ON = {"role": "user", "content": "谢谢"}


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
@pytest.mark.parametrize(
    ("messages", "at", "words"),
    [
        ([*TWO, RESULT], "messages[1].tool_calls", ['"call_2"', "no result"]),
        ([*TWO, SECOND, SECOND], "messages[3].tool_call_id", ['"call_2"', "already"]),
        ([*ASKED, RESULT, RESULT], "messages[3].tool_call_id", ['"call_1"', "already"]),
        ([*TWO, RESULT, {"role": "assistant", "content": "好"}, ON],
         "messages[1].tool_calls", ['"call_2"', "no result"]),
        ([*TWO, RESULT, *TWO, RESULT, SECOND], "messages[1].tool_calls", ["no result"]),
    ],
)  # fmt: skip
def test_each_call_has_one_result(
    api: Api, mount: str, messages: list[dict[str, Any]], at: str, words: list[str]
) -> None:
    """An upstream would refuse it, and its refusal would be our 500."""
    reply = api.at(mount).chat(model=ABLE, messages=messages, tools=[TOOL])
    bad_messages(reply, None)
    message = reply.json["error"]["message"]
    assert message.startswith(at)
    assert all(word in message for word in words)


@pytest.mark.parametrize(
    "messages", [ASKED, [*ASKED, ON], [*ASKED, {"role": "assistant", "content": "好"}]]
)
def test_calls_without_any_result_at_the_strict_mount(
    api: Api, messages: list[dict[str, Any]]
) -> None:
    reply = api.at(STRICT).chat(model=ABLE, messages=messages, tools=[TOOL])
    bad_messages(reply, 1)
    assert 'tool_calls holds "call_1", which has no result' in reply.json["error"]["message"]


@pytest.mark.parametrize("mount", [DOCUMENTED, STRICT])
def test_results_in_any_order_and_ids_again_in_another_turn(
    api: Api, upstream: Upstream, mount: str
) -> None:
    script = Script()
    messages = [*TWO, SECOND, RESULT, *TWO[1:], RESULT, SECOND]
    messages = [*script.messages, *messages[1:]]
    assert sent(api.at(mount), upstream, script, messages=messages)["messages"] == messages
    assert CALL.id not in str(messages)
