"""Tools, thought, forms and sampling in Anthropic's words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.message import answered, ask, both, malformed, stream
from tests.kit.models import ABLE, DULL
from tests.kit.script import Call, Script
from tests.kit.upstream import Upstream

CITY: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL: dict[str, Any] = {"name": "weather", "description": "天气", "input_schema": CITY}
CLOCK: dict[str, Any] = {"type": "custom", "name": "clock", "input_schema": {"type": "object"}}
CALL = Call("weather", ['{"city": ', '"北京"}'])
PERSON = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}


def sent(upstream: Upstream, script: Script) -> dict[str, Any]:
    return upstream.received(script).body


def test_call(api: Api, books: Books) -> None:
    script = Script(["我查一下。"], calls=[CALL, Call("clock", [], id="other")])
    message = both(api, model=ABLE, messages=script.messages, tools=[TOOL, CLOCK])
    assert message["stop_reason"] == "tool_use"
    text, call, other = message["content"]
    assert text["text"] == "我查一下。"
    assert call == {
        "type": "tool_use", "id": CALL.id, "name": "weather", "input": {"city": "北京"},
        "caller": {"type": "direct"},
    }  # fmt: skip
    assert (other["name"], other["input"]) == ("clock", {})
    books.settled()


@pytest.mark.embedded
def test_a_call_that_the_length_cuts_off(api: Api, books: Books) -> None:
    """In an answer in one piece it is no call: nobody could tell what of it is missing."""
    message = answered(
        ask(
            api,
            model="ernie-x1-turbo-32k",
            max_tokens=4,
            thinking={"type": "disabled"},
            tools=[TOOL],
            tool_choice={"type": "any"},
        )
    )
    assert (message["content"], message["stop_reason"]) == ([], "max_tokens")
    assert message["usage"]["output_tokens"] == 4
    books.settled()


def test_what_the_upstream_is_offered(api: Api, upstream: Upstream) -> None:
    script = Script()
    tool = {**TOOL, "strict": True, "cache_control": {"type": "ephemeral"}, "input_examples": []}
    reply = ask(api, model=ABLE, messages=script.messages, tools=[tool])
    answered(reply)
    (offered,) = sent(upstream, script)["tools"]
    assert offered["function"] == {
        "name": "weather", "description": "天气", "parameters": CITY, "strict": True
    }  # fmt: skip
    assert reply.headers["x-ignored-parameters"] == "cache_control"


@pytest.mark.parametrize(
    ("choice", "told", "parallel"),
    [
        ({"type": "auto"}, "auto", None),
        ({"type": "any"}, "required", None),
        ({"type": "any", "disable_parallel_tool_use": True}, "required", False),
        ({"type": "tool", "name": "weather"}, {"type": "function", "function": {"name": "weather"}},
         None),
    ],
)  # fmt: skip
def test_choice(api: Api, upstream: Upstream, choice: Any, told: Any, parallel: Any) -> None:
    script = Script([], calls=[CALL])
    reply = ask(api, model=ABLE, messages=script.messages, tools=[TOOL, CLOCK], tool_choice=choice)
    assert answered(reply)["content"][0]["name"] == "weather"
    body = sent(upstream, script)
    assert (body["tool_choice"], body.get("parallel_tool_calls")) == (told, parallel)


def test_no_tools(api: Api, upstream: Upstream) -> None:
    script = Script()
    choice = {"type": "none"}
    answered(ask(api, model=ABLE, messages=script.messages, tools=[TOOL], tool_choice=choice))
    assert "tools" not in sent(upstream, script)


TOOLS: list[tuple[Any, ...]] = [
    ({"tools": [{"type": "bash_20250124", "name": "bash"}]},
     'tools[0].type is "bash_20250124"', "custom"),
    ({"tools": [TOOL, {"name": "x"}]}, "tools[1].input_schema is null"),
    ({"tools": [{"input_schema": {}}]}, "tools[0].name is null"),
    ({"tools": [{**TOOL, "name": "a b"}]}, 'tools[0].name is "a b"', "1 to 128 letters"),
    ({"tools": [TOOL, TOOL]}, 'tools[1].name is "weather"'),
    ({"tools": [{**TOOL, "input_schema": []}]}, "tools[0].input_schema is an empty array"),
    ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "x"}}, 'tool_choice.name is "x"'),
    ({"tool_choice": {"type": "any"}}, 'tool_choice.type is "any"'),
    ({"tool_choice": "auto"}, 'tool_choice is "auto", allowed: an object'),
    ({"tools": [CLOCK, {**TOOL, "input_schema": {"type": "object", "$ref": "http://x/y"}}]},
     "tools[1].input_schema"),
    ({"tools": [{"type": "web_search_20250305", "name": "web_search"},
                {**TOOL, "input_schema": {"type": "object", "$ref": "http://x/y"}}]},
     "tools[1].input_schema"),
    ({"tools": [{"type": "web_search_20250305", "name": "web_search",
                 "allowed_domains": ["a.example"]}]}, "tools[0].allowed_domains"),
    ({"output_config": {"format": {"type": "json_schema", "schema": {"$ref": "http://x/y"}}}},
     "output_config.format.schema"),
    ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema is null"),
    ({"output_format": {"type": "json_schema", "schema": PERSON}, "stop_sequences": ["x"]},
     "stop_sequences is an array, allowed: nothing while output_format"),
    ({"output_config": {"effort": "huge"}}, 'output_config.effort is "huge", allowed: low, medium'),
]  # fmt: skip


@pytest.mark.parametrize("fault", TOOLS, ids=[str(at) for at in range(len(TOOLS))])
def test_what_is_wrong_is_named(api: Api, fault: tuple[Any, ...]) -> None:
    fields, *said = fault
    malformed(ask(api, model=ABLE, **fields), *said)


def test_tools_that_the_model_lacks(api: Api) -> None:
    malformed(ask(api, model=DULL, tools=[TOOL]), "tools is not supported", DULL)


@pytest.mark.parametrize(
    "fields",
    [
        {"output_config": {"format": {"type": "json_schema", "schema": PERSON}}},
        {"output_format": {"type": "json_schema", "schema": PERSON}},
    ],
)
def test_structured_output(api: Api, upstream: Upstream, fields: dict[str, Any]) -> None:
    script = Script(['{"age"', ": 4}"])
    found = stream(api, model=ABLE, messages=script.messages, **fields)
    assert json.loads(found.text) == {"age": 4}
    told = sent(upstream, script)["response_format"]["json_schema"]["schema"]
    assert told["required"] == ["age"]


@pytest.mark.parametrize("model", [ABLE, "scripted-chat"])
def test_thinking_is_asked_for(api: Api, model: str) -> None:
    script = Script(thoughts=["想"])
    thinking = {"type": "enabled", "budget_tokens": 4096}
    reply = ask(api, model=model, messages=script.messages, thinking=thinking)
    assert [each["type"] for each in answered(reply)["content"]] == ["thinking", "text"]
    most = {ABLE: 512, "scripted-chat": 2048}[model]
    assert reply.headers["x-adjusted-parameters"] == f"thinking.budget_tokens={most}"


@pytest.mark.parametrize("kind", ["adaptive", "disabled", "between_tools"])
def test_thinking_is_left_to_the_model_or_off(api: Api, kind: str) -> None:
    fields = {"thinking": {"type": kind}, "output_config": {"effort": "max"}}
    answered(ask(api, model=ABLE, **fields))
    reply = ask(api, **fields)
    answered(reply)
    # This model has no chain of thought, and its engine thinks as it likes.
    assert reply.headers["x-ignored-parameters"] == "thinking, output_config.effort"


def test_what_has_no_effect_is_told(api: Api) -> None:
    beta = {"anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14"}
    reply = ask(
        api, beta,
        top_k=5, context_management={"edits": []}, service_tier="auto", betas=["x"],
        metadata={"user_id": "小明", "more": 1},
        thinking={"type": "disabled", "display": "omitted"},
    )  # fmt: skip
    answered(reply)
    ignored = set(reply.headers["x-ignored-parameters"].split(", "))
    assert {
        "top_k", "context_management", "service_tier", "betas", "metadata.more",
        "thinking.display", "claude-code-20250219", "interleaved-thinking-2025-05-14",
    } <= ignored  # fmt: skip


def test_sampling(api: Api, upstream: Upstream) -> None:
    script = Script()
    answered(ask(api, messages=script.messages, temperature=0, top_p=0.5))
    body = sent(upstream, script)
    assert (body["temperature"], body["top_p"]) == (0, 0.5)


def test_a_length_above_the_models_is_brought_down(api: Api, upstream: Upstream) -> None:
    script = Script()
    reply = ask(api, messages=script.messages, max_tokens=32000)
    answered(reply)
    assert reply.headers["x-adjusted-parameters"] == "max_tokens=2048"


RANGES = [
    ({"max_tokens": 0}, "max_tokens is 0, allowed: an integer in [1, 2048]"),
    ({"max_tokens": None}, "max_tokens is null"),
    ({"max_tokens": "5"}, 'max_tokens is "5"'),
    ({"temperature": 1.5}, "temperature is 1.5, allowed: a number in [0, 1]"),
    ({"top_p": -1}, "top_p is -1"),
    ({"top_k": -1}, "top_k is -1"),
    ({"stop_sequences": [""]}, 'stop_sequences[0] is ""'),
    ({"stop_sequences": "x"}, 'stop_sequences is "x", allowed: a list of at most 16'),
    ({"stop_sequences": ["x"] * 17}, "stop_sequences is an array"),
    ({"system": 5}, "system is 5"),
    ({"system": [{"type": "image"}]}, 'system[0].type is "image", allowed: text'),
    ({"thinking": {"type": "enabled", "budget_tokens": 0}}, "thinking.budget_tokens is 0"),
    ({"thinking": {"type": "x"}}, 'thinking.type is "x", allowed: enabled, disabled, adaptive'),
    ({"metadata": {"user_id": "x" * 1025}}, "metadata.user_id is"),
    ({"stream": "yes"}, 'stream is "yes"'),
    ({"model": ""}, "model is empty"),
    ({"model": "scripted-chat", "messages": 5}, "messages is 5"),
]


@pytest.mark.parametrize("fault", RANGES, ids=[str(at) for at in range(len(RANGES))])
def test_ranges(api: Api, fault: tuple[dict[str, Any], str]) -> None:
    fields, said = fault
    malformed(ask(api, **fields), said)
