"""Tools: functions, custom ones and those in a namespace; calls and what came of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.kit.api import Api
from tests.kit.expect import malformed, refused
from tests.kit.models import ABLE
from tests.kit.script import Call, Script
from tests.kit.upstream import Upstream
from tests.responses.kit import asking, create, stream

WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "天气",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
PATCH = {
    "type": "custom",
    "name": "apply_patch",
    "description": "改文件",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /x+/"},
}
AGENTS = {"type": "namespace", "name": "agents", "description": "", "tools": [WEATHER]}


def calling(*calls: Call, pieces: list[str] | None = None) -> Script:
    return Script(pieces=pieces or [], calls=list(calls), finish="tool_calls")


def test_a_call_and_its_answer(api: Api, upstream: Upstream) -> None:
    script = calling(Call("weather", ['{"city":', '"西安"}'], id="call_1"), pieces=["我", "查"])
    response = create(api, script, model=ABLE, tools=[WEATHER]).json
    assert response["tools"] == [WEATHER]
    message, call = response["output"]
    assert message["content"][0]["text"] == "我查"
    assert call == {
        "type": "function_call",
        "id": call["id"],
        "status": "completed",
        "call_id": call["call_id"],
        "name": "weather",
        "arguments": '{"city":"西安"}',
    }
    assert response["status"] == "completed"
    sent = upstream.received(script).body
    assert sent["tools"][0]["function"]["parameters"] == WEATHER["parameters"]
    after = Script()
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "晴"}
    reply = create(
        api, model=ABLE, tools=[WEATHER], input=[*asking(script), message, call, output,
                                                *asking(after)]
    )  # fmt: skip
    assert reply.status == 200, reply.text
    roles = [each["role"] for each in upstream.received(after).body["messages"]]
    assert roles == ["user", "assistant", "tool", "user"]
    said, returned = upstream.received(after).body["messages"][1:3]
    assert said["content"] == "我查"
    assert said["tool_calls"][0]["function"] == {
        "name": "weather", "arguments": '{"city":"西安"}',
    }  # fmt: skip
    assert returned["content"] == "晴"


def test_the_events_of_calls(api: Api) -> None:
    script = calling(Call("weather", ['{"city":"a"}'], id="c1"), Call("weather", ['{"city":"b"}'],
                                                                      id="c2"))  # fmt: skip
    seen = stream(api, script, model=ABLE, tools=[WEATHER])
    added = seen.of("response.output_item.added")
    assert [each["output_index"] for each in added] == [0, 1]
    assert all(each["item"]["arguments"] == "" for each in added)
    done = seen.of("response.function_call_arguments.done")
    assert [json.loads(each["arguments"])["city"] for each in done] == ["a", "b"]
    for end in done:
        told = [
            each["delta"]
            for each in seen.of("response.function_call_arguments.delta")
            if each["item_id"] == end["item_id"]
        ]
        assert "".join(told) == end["arguments"]
    assert [each["item"] for each in seen.of("response.output_item.done")] == seen.last["output"]


def test_a_custom_tool_is_given_a_text(api: Api, upstream: Upstream) -> None:
    text = '*** Begin Patch\n"一"\n'
    script = calling(Call("apply_patch", [json.dumps({"input": text})], id="c1"))
    reply = create(api, script, model=ABLE, tools=[PATCH])
    assert reply.headers["x-ignored-parameters"] == "tools%5B0%5D.format"
    (call,) = reply.json["output"]
    assert (call["type"], call["name"], call["input"]) == ("custom_tool_call", "apply_patch", text)
    (tool,) = upstream.received(script).body["tools"]
    assert "start: /x+/" in tool["function"]["description"]
    seen = stream(api, script, model=ABLE, tools=[PATCH])
    deltas = seen.of("response.custom_tool_call_input.delta")
    assert "".join(each["delta"] for each in deltas) == text
    assert seen.of("response.custom_tool_call_input.done")[0]["input"] == text
    after = Script()
    output = {"type": "custom_tool_call_output", "call_id": call["call_id"], "output": "好"}
    items = [*asking(Script()), call, output, *asking(after)]
    assert create(api, model=ABLE, tools=[PATCH], input=items).status == 200
    sent = upstream.received(after).body["messages"][1]["tool_calls"][0]["function"]
    assert json.loads(sent["arguments"]) == {"input": text}


def test_a_namespace(api: Api, upstream: Upstream) -> None:
    script = calling(Call("agents__weather", ['{"city":"a"}'], id="c1"))
    response = create(api, script, model=ABLE, tools=[AGENTS]).json
    (call,) = response["output"]
    assert (call["name"], call["namespace"]) == ("weather", "agents")
    after = Script()
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "晴"}
    items = [*asking(Script()), call, output, *asking(after)]
    assert create(api, model=ABLE, tools=[AGENTS], input=items).status == 200
    sent = upstream.received(after).body["messages"][1]["tool_calls"][0]["function"]
    assert sent["name"] == "agents__weather"


def test_a_picture_that_a_function_returned(api: Api, upstream: Upstream) -> None:
    call = {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"}
    parts = [
        {"type": "input_text", "text": "看"},
        {"type": "input_image", "image_url": "data:image/png;base64,x"},
    ]
    output = {"type": "function_call_output", "call_id": "c", "output": parts}
    reply = create(api, model=ABLE, input=[*asking(Script()), call, output])
    refused(
        reply, 400, "invalid_request_error", "invalid_messages",
        "input[2].output[1].image_url", param="input",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", {"auto"}),
        ("required", {"required"}),
        ({"type": "function", "name": "weather"}, {"required"}),
        (
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "weather"}],
            },
            {"auto"},
        ),
    ],
)
def test_tool_choice(api: Api, upstream: Upstream, choice: Any, sent: set[str]) -> None:
    script = calling(Call("weather", ['{"city":"a"}'], id="c1"))
    response = create(api, script, model=ABLE, tools=[WEATHER], tool_choice=choice).json
    assert response["output"][0]["type"] == "function_call"
    told = response["tool_choice"]
    assert told == choice or told["type"] == choice["type"]


def test_none_calls_nothing(api: Api, upstream: Upstream) -> None:
    script = Script()
    assert create(api, script, model=ABLE, tools=[WEATHER], tool_choice="none").status == 200
    assert "tools" not in upstream.received(script).body


@pytest.mark.parametrize("kind", ["file_search", "computer_use_preview", "mcp", "local_shell"])
def test_a_built_in_tool_that_is_not_there_is_named(api: Api, kind: str) -> None:
    reply = create(api, Script(), tools=[WEATHER, {"type": kind}])
    refused(
        reply, 400, "invalid_request_error", "unsupported_parameter", "tools[1].type", kind,
        "web_search", param="tools",
    )  # fmt: skip


CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "x"}


@pytest.mark.parametrize(
    ("items", "says"),
    [
        ([CALL], ["input[1]", "no output"]),
        ([OUTPUT], ["input[1].call_id", "a call"]),
        ([CALL, OUTPUT, OUTPUT], ["input[3].call_id", "one output"]),
        ([CALL, CALL, OUTPUT], ["input[2].call_id"]),
        ([CALL | {"name": None}, OUTPUT], ["input[1].name"]),
        ([CALL | {"arguments": None}, OUTPUT], ["input[1].arguments"]),
        ([CALL, OUTPUT | {"output": None}], ["input[2].output"]),
        ([CALL | {"call_id": ""}], ["input[1].call_id"]),
        ([{"type": "computer_call"}], ["input[1].type", "computer_call", "function_call"]),
    ],
)
def test_calls_that_do_not_fit(api: Api, items: list[Any], says: list[str]) -> None:
    reply = create(api, model=ABLE, input=[*asking(Script()), *items])
    refused(reply, 400, "invalid_request_error", "invalid_messages", *says, param="input")


def test_ids_that_come_again_in_later_turns(api: Api, upstream: Upstream) -> None:
    """Many models number the calls of each turn from the start."""
    script = Script()
    turns = [
        [CALL, OUTPUT | {"output": said}, {"role": "user", "content": said}] for said in "一二"
    ]
    reply = create(api, model=ABLE, input=[*turns[0], *turns[1], *asking(script)])
    assert reply.status == 200, reply.text
    sent = upstream.received(script).body["messages"]
    assert [each["content"] for each in sent if each["role"] == "tool"] == ["一", "二"]
    # Outputs may stand behind all calls.
    script = Script()
    moved = [turns[0][0], turns[0][2], turns[1][0], turns[1][2], turns[0][1], turns[1][1]]
    assert create(api, model=ABLE, input=[*moved, *asking(script)]).status == 200
    assert [m["content"] for m in upstream.received(script).body["messages"]][:-1] == [
        each["content"] for each in sent[:-1]
    ]


def test_tools_that_are_refused(api: Api) -> None:
    malformed(create(api, tools=[WEATHER, WEATHER]), "twice", param="tools")
    wrong = {"type": "function", "name": "no"}
    malformed(create(api, tools=[WEATHER], tool_choice=wrong), "weather", param="tool_choice.name")
    bad = WEATHER | {"parameters": {"type": "object", "properties": {"a": {"$ref": "#/no"}}}}
    reply = create(api, model=ABLE, tools=[AGENTS, bad])
    malformed(reply, "tools[1].parameters", param="tools")
    inner = AGENTS | {"tools": [WEATHER, bad | {"name": "other"}]}
    malformed(create(api, model=ABLE, tools=[inner]), "tools[0].tools[1].parameters", param="tools")


def test_too_many_functions_in_all(api: Api) -> None:
    tools = [WEATHER | {"name": f"f{n}"} for n in range(65)]
    spaces = [AGENTS | {"name": name, "tools": tools} for name in "ab"]
    malformed(create(api, model=ABLE, tools=spaces), "130", "128", param="tools")


def test_an_upstream_without_tools_is_made_to_call(api: Api) -> None:
    reply = create(api, Script(), model="scripted-dull", tools=[WEATHER])
    refused(reply, 400, "invalid_request_error", "unsupported_parameter", param="tools")
