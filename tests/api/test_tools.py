"""Function call (section 5.6) on an upstream that calls by itself; the embedded engine's own
tests stand in tests/generation/tools."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import OpenAI

from tests.kit.api import STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import answered, bad_messages, malformed, no_engine, refused
from tests.kit.models import ABLE, CHAT, DULL
from tests.kit.script import Call, Script
from tests.kit.upstream import Upstream

WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"enum": ["c", "f"]}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "weather", "description": "天气", "parameters": WEATHER},
}
OTHER: dict[str, Any] = {"type": "function", "function": {"name": "clock"}}
CALL = Call("weather", ['{"city": ', '"北京"}'])
ASKED: list[dict[str, Any]] = [
    {"role": "user", "content": "北京天气?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "weather", "arguments": '{"city": "北京"}'},
            }
        ],
    },
]
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "晴"}


@pytest.mark.parametrize("mount", ["/llm/lmapi/v3", STRICT])
def test_call(api: Api, upstream: Upstream, mount: str) -> None:
    script = Script(["我查一下。"], calls=[CALL])
    body = answered(api.at(mount).chat(model=ABLE, messages=script.messages, tools=[TOOL]))
    choice = body["choices"][0]
    assert choice["finish_reason"] == ("tool_calls" if mount == STRICT else "function_call")
    assert choice["message"]["content"] == "我查一下。"
    (call,) = choice["message"]["tool_calls"]
    assert call == {
        "id": CALL.id,
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "北京"}'},
    }
    sent = upstream.received(script).body
    assert sent["tools"] == [TOOL]
    assert sent["tool_choice"] == "auto"
    assert "parallel_tool_calls" not in sent  # some models refuse it, and nobody asked for it


def test_content_beside_calls_alone(api: Api) -> None:
    """`""` at the documented mount, whose samples print it; null at /v1, as OpenAI has it."""
    for mount, content in (("/llm/lmapi/v3", ""), (STRICT, None)):
        script = Script([], calls=[CALL])
        body = answered(api.at(mount).chat(model=ABLE, messages=script.messages, tools=[TOOL]))
        assert body["choices"][0]["message"]["content"] == content


def test_stream(api: Api) -> None:
    """Index, id and name first, then the arguments; an id that is there twice is replaced."""
    script = Script(["好。"], calls=[CALL, Call("weather", ['{"city": "上海"}'])])
    stream = api.stream(model=ABLE, messages=script.messages, tools=[TOOL])
    assert stream.finish_reason == "function_call"
    fragments = [
        fragment
        for chunk in stream.chunks
        for choice in chunk["choices"]
        for fragment in choice["delta"].get("tool_calls", ())
    ]
    arguments: dict[int, str] = {}
    ids: list[str] = []
    for fragment in fragments:
        if "id" in fragment:
            assert (fragment["type"], fragment["function"]["name"]) == ("function", "weather")
            assert fragment["index"] == len(ids)
            ids.append(fragment["id"])
        index = fragment["index"]
        arguments[index] = arguments.get(index, "") + fragment["function"].get("arguments", "")
    assert len(set(ids)) == 2
    assert [json.loads(text) for text in arguments.values()] == [{"city": "北京"}, {"city": "上海"}]
    assert all(isinstance(c["delta"]["content"], str) for k in stream.chunks for c in k["choices"])


@pytest.mark.parametrize(
    "broken",
    [
        Call("weather", ['{"city": 1}']),
        Call("weather", ['{"city": "北京", "year": 1}']),
        Call("weather", ['{"city": ']),
        Call("nobody", ["{}"]),
        Call("weather", ["[]"]),
    ],
)
def test_broken_call_is_asked_for_again(api: Api, upstream: Upstream, broken: Call) -> None:
    script = Script([], calls=[broken], again=[Script([], calls=[CALL])])
    body = answered(api.chat(model=ABLE, messages=script.messages, tools=[TOOL]))
    (call,) = body["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"city": "北京"}
    assert len(upstream.attempts(script)) == 2


def test_call_that_stays_broken(api: Api, books: Books) -> None:
    script = Script([], calls=[Call("weather", ['{"city": 1}'])])
    reply = api.chat(model=ABLE, messages=script.messages, tools=[TOOL])
    no_engine(reply)
    books.free(reply.headers["x-request-id"])


@pytest.mark.parametrize("choice", ["auto", "required"])
def test_call_cut_off_before_its_arguments(api: Api, choice: str) -> None:
    """The length ends it after its name: that is no call without arguments."""
    script = Script(["好。"], calls=[Call("clock", ["{", "}"])])
    body = answered(
        api.chat(
            model=ABLE, messages=script.messages, tools=[OTHER], tool_choice=choice, max_tokens=2
        )
    )
    (answer,) = body["choices"]
    assert (answer["finish_reason"], answer["message"]["content"]) == ("length", "好。")
    assert "tool_calls" not in answer["message"]


def test_call_without_arguments(api: Api) -> None:
    script = Script([], calls=[Call("clock")])
    body = answered(api.chat(model=ABLE, messages=script.messages, tools=[OTHER]))
    (call,) = body["choices"][0]["message"]["tool_calls"]
    assert call["function"] == {"name": "clock", "arguments": "{}"}


def test_choice_none(api: Api, upstream: Upstream) -> None:
    script = Script(["好。"])
    body = answered(
        api.chat(model=ABLE, messages=script.messages, tools=[TOOL], tool_choice="none")
    )
    assert body["choices"][0]["finish_reason"] == "normal"
    assert "tools" not in upstream.received(script).body


def test_choice_required_is_kept(api: Api, upstream: Upstream) -> None:
    """An upstream that answers in words is asked again; nothing of the words is shown."""
    script = Script(["不。"], again=[Script([], calls=[CALL])])
    body = answered(
        api.chat(model=ABLE, messages=script.messages, tools=[TOOL], tool_choice="required")
    )
    assert body["choices"][0]["message"]["content"] == ""
    assert body["choices"][0]["finish_reason"] == "function_call"
    assert upstream.attempts(script)[0].body["tool_choice"] == "required"


def test_named_choice_is_kept(api: Api, upstream: Upstream) -> None:
    named = {"type": "function", "function": {"name": "weather"}}
    script = Script([], calls=[Call("clock", ["{}"])], again=[Script([], calls=[CALL])])
    body = answered(
        api.chat(model=ABLE, messages=script.messages, tools=[TOOL, OTHER], tool_choice=named)
    )
    assert body["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "weather"
    assert upstream.attempts(script)[0].body["tool_choice"] == named


@pytest.mark.parametrize("mount", ["/llm/lmapi/v3", STRICT])
def test_choice_as_an_object_that_only_says_a_word(
    api: Api, upstream: Upstream, mount: str
) -> None:
    for choice, sent in {"auto": "auto", "required": "required", "any": "required"}.items():
        for written in (choice, {"type": choice}):
            script = Script([], calls=[CALL])
            answered(
                api.at(mount).chat(
                    model=ABLE, messages=script.messages, tools=[TOOL], tool_choice=written
                )
            )
            assert upstream.received(script).body["tool_choice"] == sent
    script = Script(["好。"])
    none = {"tools": [TOOL], "tool_choice": {"type": "none"}}
    answered(api.at(mount).chat(model=ABLE, messages=script.messages, **none))
    assert "tools" not in upstream.received(script).body
    for word in ("none", "auto"):
        answered(api.at(mount).chat(model=ABLE, tool_choice={"type": word}))


def allowed(mode: object, *tools: object, flat: bool = False) -> dict[str, Any]:
    inner = {"mode": mode, "tools": list(tools)}
    return {"type": "allowed_tools", **(inner if flat else {"allowed_tools": inner})}


NESTED = {"type": "function", "function": {"name": "weather"}}
FLAT = {"type": "function", "name": "weather"}


@pytest.mark.parametrize("written", [NESTED, FLAT])
@pytest.mark.parametrize("flat", [False, True])
def test_only_allowed_tools_are_called(
    api: Api, upstream: Upstream, written: dict[str, Any], flat: bool
) -> None:
    """Another call is asked for again; upstreams that know no such field are told no others."""
    third = {"type": "function", "function": {"name": "third"}}
    script = Script([], calls=[Call("clock", ["{}"])], again=[Script([], calls=[CALL])])
    choice = allowed("auto", written, written, flat=flat)
    body = answered(
        api.chat(model=ABLE, messages=script.messages, tools=[OTHER, TOOL], tool_choice=choice)
    )
    (call,) = body["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "weather"
    sent = upstream.attempts(script)[0].body
    assert (sent["tools"], sent["tool_choice"]) == ([TOOL], "auto")

    script = Script(["不。"], again=[Script([], calls=[CALL])])
    choice = allowed("required", written, third, flat=flat)
    tools = [OTHER, TOOL, third]
    answered(api.chat(model=ABLE, messages=script.messages, tools=tools, tool_choice=choice))
    sent = upstream.attempts(script)[0].body
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["weather", "third"]
    assert sent["tool_choice"] == "required"


def test_one_allowed_tool_that_is_required_is_a_named_one(api: Api, upstream: Upstream) -> None:
    for choice in (allowed("required", NESTED), FLAT, NESTED):
        script = Script([], calls=[CALL])
        answered(
            api.chat(model=ABLE, messages=script.messages, tools=[TOOL, OTHER], tool_choice=choice)
        )
        assert upstream.received(script).body["tool_choice"] == NESTED


def test_schemas_of_tools_that_are_not_allowed_keep_their_number(api: Api) -> None:
    bad = {"type": "function", "function": {"name": "bad", "parameters": {"type": "string"}}}
    choice = allowed("auto", {"type": "function", "name": "bad"}, FLAT)
    reply = api.chat(model=ABLE, tools=[OTHER, TOOL, bad], tool_choice=choice)
    malformed(reply, "tools[2].function.parameters", param="tools")


def test_not_parallel(api: Api) -> None:
    script = Script([], calls=[CALL, CALL])
    body = answered(
        api.chat(model=ABLE, messages=script.messages, tools=[TOOL], parallel_tool_calls=False)
    )
    assert len(body["choices"][0]["message"]["tool_calls"]) == 1


def test_second_round(api: Api, upstream: Upstream) -> None:
    """The calls and what the tool returned reach the upstream as they came."""
    script = Script(["北京晴。"])
    history = [{"role": "system", "content": script.prompt}, *ASKED, RESULT]
    body = answered(api.chat(model=ABLE, messages=history, tools=[TOOL]))
    assert body["choices"][0]["message"]["content"] == "北京晴。"
    sent = upstream.received(script).body["messages"]
    assert sent[2]["tool_calls"] == ASKED[1]["tool_calls"]
    assert sent[3] == RESULT


def test_several_results_then_a_question(api: Api) -> None:
    two = [dict(call) for call in ASKED[1]["tool_calls"]]
    two.append({**two[0], "id": "call_2"})
    history = [
        ASKED[0],
        {**ASKED[1], "tool_calls": two},
        RESULT,
        {**RESULT, "tool_call_id": "call_2"},
        {"role": "user", "content": "谢谢,那上海呢?"},
    ]
    answered(api.chat(model=ABLE, messages=history, tools=[TOOL]))


@pytest.mark.parametrize(
    ("history", "index"),
    [
        ([*ASKED, {"role": "user", "content": "?"}], 2),
        ([ASKED[0], RESULT], 1),
        ([*ASKED, {**RESULT, "tool_call_id": "other"}], 2),
        ([*ASKED, {"role": "tool", "content": "晴"}], 2),
        ([*ASKED, {**RESULT, "content": None}], 2),
        ([ASKED[0], {**ASKED[1], "tool_calls": [{"id": "x", "type": "function"}]}, RESULT], 1),
        ([ASKED[0], {**ASKED[1], "tool_calls": "x"}, RESULT], 1),
        ([{**ASKED[1], "role": "user"}], 0),
        ([ASKED[0], {"role": "assistant", "content": None}, ASKED[0]], 1),
    ],
)
def test_history_out_of_order(api: Api, history: list[dict[str, Any]], index: int) -> None:
    bad_messages(api.chat(model=ABLE, messages=history, tools=[TOOL]), index)


def test_arguments_in_the_history_are_text_of_any_kind(api: Api) -> None:
    """What a model once wrote need not be JSON, nor anything; an object is no text."""
    call = ASKED[1]["tool_calls"][0]
    for arguments in ("", "not { JSON", {"city": "北京"}):
        written = {**call, "function": {"name": "weather", "arguments": arguments}}
        history = [ASKED[0], {**ASKED[1], "tool_calls": [written]}, RESULT]
        reply = api.chat(model=ABLE, messages=history, tools=[TOOL])
        if isinstance(arguments, str):
            answered(reply)
        else:
            bad_messages(reply, 1)
            assert "arguments is an object, allowed: a string, as it was given" in reply.text


def named(choice: object) -> dict[str, Any]:
    return {"tools": [TOOL], "tool_choice": choice}


def function(**fields: Any) -> dict[str, Any]:
    return {"tools": [{"type": "function", "function": {"name": "f", **fields}}]}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"tools": {}}, "tools"),
        ({"tools": [1]}, "tools[0]"),
        ({"tools": [{"type": "code"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        (function(name=""), "tools[0].function.name"),
        (function(name="天气"), "letters"),
        (function(name="f" * 65), "64"),
        (function(description=1), "tools[0].function.description"),
        (function(parameters=[]), "tools[0].function.parameters"),
        ({"tools": [TOOL, TOOL]}, "'weather' twice"),
        ({"tools": [TOOL] * 129}, "128"),
        (named("maybe"), "none, auto, required"),
        (named({"type": "function", "function": {"name": "nobody"}}), "weather"),
        (named({"type": "tool"}), "tool_choice.type"),
        (named({"type": "function"}), "tool_choice.function.name"),
        (named(1), "tool_choice"),
        ({"tool_choice": "required"}, "none or auto"),
        ({"tool_choice": {"type": "any"}}, "none or auto"),
        ({"tool_choice": allowed("auto", NESTED)}, "none or auto"),
        (named({"type": "function", "name": "nobody"}), "tool_choice.name"),
        (named({"type": "allowed_tools"}), "tool_choice.allowed_tools is null"),
        (named({"type": "allowed_tools", "mode": "auto"}), "tool_choice.allowed_tools is null"),
        (named(allowed("none", NESTED)), 'tool_choice.allowed_tools.mode is "none", allowed: auto'),
        (named(allowed(None, NESTED)), "tool_choice.allowed_tools.mode is null"),
        (named(allowed("any", NESTED, flat=True)), 'tool_choice.mode is "any"'),
        (named(allowed("auto")), "tool_choice.allowed_tools.tools is an empty array"),
        (named(allowed("auto", "weather")), "tool_choice.allowed_tools.tools[0]"),
        (named(allowed("auto", {"type": "mcp"})), "tool_choice.allowed_tools.tools[0].type"),
        (
            named(allowed("auto", NESTED, {"function": {"name": "nobody"}})),
            'tool_choice.allowed_tools.tools[1].function.name is "nobody", allowed: one of weather',
        ),
        (
            named(allowed("auto", {"type": "function", "name": "nobody"}, flat=True)),
            'tool_choice.tools[0].name is "nobody", allowed: one of weather',
        ),
        ({"tools": [TOOL], "parallel_tool_calls": "yes"}, "parallel_tool_calls"),
        ({"functions": [TOOL["function"]]}, "tools, which took its place"),
    ],
)
def test_what_cannot_be_meant(api: Api, fields: dict[str, Any], says: str) -> None:
    malformed(api.chat(model=ABLE, **fields), says)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"type": "string"}, ["'type'", "/1/function/parameters/type", "arguments are an object"]),
        ({"$ref": "#/nowhere"}, ["'$ref'", "/1/function/parameters/$ref"]),
        ({"$ref": "file:///etc/passwd"}, ["'$ref'", "/1/function/parameters/$ref"]),
        ({"properties": {"a": {"type": "text"}}}, ["/1/function/parameters/properties/a/type"]),
        ({"properties": {"a": {"pattern": "(a"}}}, ["'pattern'", "/properties/a/pattern"]),
    ],
)
def test_parameters_that_no_call_can_keep(
    api: Api, upstream: Upstream, parameters: dict[str, Any], says: list[str]
) -> None:
    """They are refused before any engine is asked, whoever calls."""
    script = Script([], calls=[Call("f", ["{}"])])
    tools = [TOOL, *function(parameters=parameters)["tools"]]
    malformed(api.chat(model=ABLE, messages=script.messages, tools=tools), *says, param="tools")
    assert upstream.attempts(script) == []


@pytest.mark.parametrize("closed", [False, True])
def test_required_names_that_no_property_has(api: Api, upstream: Upstream, closed: bool) -> None:
    """OpenAI takes them: the upstream gets the schema as it was sent, the client the call."""
    parameters: dict[str, Any] = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city", "unit"],
    }
    if closed:
        parameters["additionalProperties"] = False
    tools = function(parameters=parameters)["tools"]
    right = '{"city": "北京", "unit": "c"}'
    script = Script(
        [], calls=[Call("f", ['{"city": "北京"}'])], again=[Script([], calls=[Call("f", [right])])]
    )
    body = answered(api.chat(model=ABLE, messages=script.messages, tools=tools))
    (call,) = body["choices"][0]["message"]["tool_calls"]
    assert call["function"]["arguments"] == right
    assert upstream.attempts(script)[0].body["tools"] == tools


def test_a_refusal_leaves_no_hold(api: Api, books: Books) -> None:
    reply = api.chat(model=ABLE, **named("maybe"))
    books.free(reply.headers["x-request-id"])


@pytest.mark.parametrize("model", [CHAT, DULL, "ernie-4.5-turbo-32k"])
def test_model_or_deployment_without_tools(api: Api, model: str) -> None:
    refused(
        api.chat(model=model, tools=[TOOL]), 401, "access_denied", "no_parameter_permission",
        model, "tools", param="tools",
    )  # fmt: skip


def test_official_client(client: OpenAI) -> None:
    script = Script(["好。"], calls=[CALL])
    answer = client.chat.completions.create(
        model=ABLE,
        messages=script.messages,  # type: ignore[arg-type]
        tools=[TOOL],  # type: ignore[list-item]
    )
    calls = answer.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].type == "function"
    assert json.loads(calls[0].function.arguments) == {"city": "北京"}
    again = client.chat.completions.create(
        model=ABLE,
        messages=[
            {"role": "user", "content": "北京天气?"},
            answer.choices[0].message,  # type: ignore[list-item]
            {"role": "tool", "tool_call_id": calls[0].id, "content": "晴"},
        ],
        tools=[TOOL],  # type: ignore[list-item]
    )
    assert again.choices[0].message.content
