"""What a plan lets a model write, by the engine's own matcher, and which calls are taken."""

from __future__ import annotations

import json
import time
from typing import Any, Literal

import pytest
from llguidance import LLMatcher, LLTokenizer

from tests.generation.tools.functions import ALL, CLOCK, EVENT, TREE, WEATHER
from tests.generation.vetted import check_call, plan
from xinghe.core import Constraint, Message, Tool, ToolUse
from xinghe.generation.structure import Unguaranteed

BYTES = LLTokenizer("byte")
OFFERED = ToolUse(ALL)
ASK = [Message("user", "?")]


def takes(constraint: Constraint | None, text: str, whole: bool = True) -> bool:
    """Whether a model can write `text`, and end there where it is `whole`."""
    assert constraint is not None
    matcher = LLMatcher(BYTES, LLMatcher.grammar_from_lark(constraint.grammar))
    assert not matcher.get_error()
    tokens = BYTES.tokenize_str(text)
    taken = matcher.try_consume_tokens(tokens)
    return taken == len(tokens) and (not whole or matcher.is_accepting())


def made(use: ToolUse) -> Constraint:
    return plan(ASK, use, max_tokens=256).constraint


def test_auto_lets_a_reply_begin_and_ends_it_soon() -> None:
    constraint = made(ToolUse(ALL))
    for text in (
        "你好",
        "Hello! How are",
        "getting there",
        "{",
        "\n",
        "get_weathers",
        "ge",
        "好🦄",
    ):
        assert takes(constraint, text), text
    for text in ("", "get", "get()", "get_weather", "get_weather:", 'time {"city"', "note("):
        assert not takes(constraint, text), text
    assert not takes(constraint, "This reply is longer than deciding takes.", whole=False)


def test_auto_lets_calls_be_written_and_nothing_after_them() -> None:
    constraint = made(ToolUse(ALL))
    first = 'get_weather {"city": "北京"}'
    assert takes(constraint, first)
    assert takes(constraint, f'{first}\nget {{}}\ncreate_event {{"标题": "会", "day": 3}}')
    for text in (f"{first} ", f"{first}\n", f"{first}\n好的", "get_weather {}", "get x"):
        assert not takes(constraint, text), text


def test_arguments_keep_to_their_schema() -> None:
    constraint = made(ToolUse(ALL))
    for text in (
        'create_event {"标题": "会", "day": 32}',
        'create_event {"day": 3}',
        'get_weather {"city": 3}',
        'get_weather {"city": "x", "unit": "kelvin"}',
        'get_weather {"city": "x", "made_up": 1}',
        'get {"x": 1}',
        'plant {"root": {"v": "1"}}',
    ):
        assert not takes(constraint, text), text
    assert takes(constraint, 'plant {"root": {"v": 1, "next": {"v": 2}}}')


def test_one_call_where_parallel_calls_are_off() -> None:
    constraint = made(ToolUse(ALL, parallel=False))
    assert takes(constraint, "get {}")
    assert not takes(constraint, "get {}\n", whole=False)


def test_required_leaves_no_reply() -> None:
    required = plan(ASK, ToolUse(ALL, "required"), max_tokens=256)
    assert required.reply is None
    assert takes(required.constraint, "get {}\nget {}")
    assert not takes(required.constraint, "你", whole=False)
    assert not takes(required.constraint, "H", whole=False)


def test_a_named_function_is_the_only_one() -> None:
    constraint = made(ToolUse(ALL, "required", frozenset({"get_weather"})))
    assert takes(constraint, 'get_weather {"city": "x"}')
    assert not takes(constraint, "get {}")
    assert not takes(constraint, "c", whole=False)


A: dict[str, Any] = {"a": {"type": "string"}}
LACKING: dict[str, Any] = {"type": "object", "properties": A, "required": ["a", "b"]}
CLOSED: dict[str, Any] = LACKING | {"additionalProperties": False}
BRANCHES = [{"required": ["b"]}, {"required": ["c"]}]


@pytest.mark.parametrize(
    "parameters",
    [
        LACKING,
        CLOSED,
        {"properties": A, "required": ["b"], "unevaluatedProperties": False},
        {"required": ["a", "b"]},
        CLOSED | {"required": ["a"], "anyOf": BRANCHES},
        CLOSED | {"allOf": [{"required": ["b"]}]},
        {"$ref": "#/$defs/f", "$defs": {"f": CLOSED}},
    ],
)
async def test_what_is_required_is_declared(parameters: dict[str, object]) -> None:
    """OpenAI takes names that `properties` lacks; a call then has them, with any value."""
    tool = Tool("f", "", parameters)
    constraint = made(ToolUse((tool,), "required"))
    for value in ("1", '{"x": [null]}', '"y"'):
        arguments = f'{{"a": "x", "b": {value}}}'
        assert takes(constraint, f"f {arguments}")
        assert await check_call(ToolUse((tool,)), "f", arguments) is None
    assert not takes(constraint, "f {}")
    assert not takes(constraint, 'f {"a": "x", "b": 1, "d": 1}')
    assert await check_call(ToolUse((tool,)), "f", "{}") is not None


GOOD = '{"a": "x", "b": 1}'


@pytest.mark.parametrize(
    ("inner", "good"),
    [
        (CLOSED, GOOD),
        ({"anyOf": [CLOSED, {"type": "null"}]}, GOOD),
        ({"type": "array", "items": CLOSED, "minItems": 1, "maxItems": 1}, f"[{GOOD}]"),
        ({"$ref": "#/$defs/const"}, GOOD),
        (
            {"type": "object", "properties": {"const": CLOSED}, "required": ["const"]},
            f'{{"const": {GOOD}}}',
        ),
    ],
)
async def test_what_is_required_within_is_declared(inner: dict[str, Any], good: str) -> None:
    parameters = {"properties": {"o": inner}, "required": ["o"], "$defs": {"const": CLOSED}}
    use = ToolUse((Tool("f", "", parameters),), "required")
    assert takes(made(use), f'f {{"o": {good}}}')
    assert await check_call(use, "f", f'{{"o": {good}}}') is None
    assert await check_call(use, "f", f'{{"o": {good.replace("b", "d")}}}')


async def test_names_that_look_like_keywords_are_names() -> None:
    """Of draft 7, too: its `dependencies` map names to schemas."""
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "properties": {"o": {}, "const": {}},
        "dependencies": {"const": {"properties": {"o": CLOSED}}},
    }
    use = ToolUse((Tool("f", "", schema),))
    assert await check_call(use, "f", f'{{"const": 1, "o": {GOOD}}}') is None
    assert await check_call(use, "f", f'{{"const": 1, "o": {GOOD.replace("b", "d")}}}')


async def test_values_that_look_like_schemas_stay_as_they_are() -> None:
    value = '{"required": ["b"], "additionalProperties": false}'
    schema = {"properties": {"o": {"const": json.loads(value)}}, "required": ["o"]}
    assert await check_call(ToolUse((Tool("f", "", schema),)), "f", f'{{"o": {value}}}') is None


@pytest.mark.parametrize("word", ["enum", "const"])
def test_listed_arguments(word: str) -> None:
    """What stands in no `properties` is no less meant."""
    values: Any = [{"a": 1}, {"b": 2}] if word == "enum" else {"a": 1}
    constraint = made(ToolUse((Tool("f", "", {"type": "object", word: values}),), "required"))
    assert takes(constraint, 'f {"a": 1}')
    assert not takes(constraint, 'f {"a": 2}')


@pytest.mark.parametrize("choice", ["auto", "required"])
def test_only_allowed_functions_can_be_called(choice: Literal["auto", "required"]) -> None:
    use = ToolUse(ALL, choice, frozenset({"get_weather", "plant"}))
    planned = plan(ASK, use, max_tokens=256)
    for text in ('get_weather {"city": "x"}', 'plant {"root": {"v": 1}}'):
        assert takes(planned.constraint, text)
    for text in ("get {}", 'create_event {"标题": "会", "day": 3}'):  # not even as a reply
        assert not takes(planned.constraint, text)
    assert planned.reply is None or not takes(planned.reply, "get {}")
    assert planned.names == ("get_weather", "plant")
    told = "\n".join(message.content for message in planned.messages)
    assert "get_weather(" in told
    assert ("create_event(" in told) is (choice == "required")


def test_a_reply_never_begins_as_a_call() -> None:
    reply = plan(ASK, ToolUse(ALL), max_tokens=256).reply
    for text in (
        "",
        "你好,\n今天怎么样?" * 9,
        "getting",
        "Say: get {}",
        " get {}",
        "time flies",
        "noted",
    ):
        assert takes(reply, text), text
    for text in ("get", "get {}", "get()", "get_weather", "get_weather\n"):
        assert not takes(reply, text), text
    assert not takes(reply, 'get_weather {"city"', whole=False)


@pytest.mark.parametrize(
    "parameters",
    [{}, {"type": "object"}, {"type": "object", "properties": {}}, {"properties": {}}],
)
def test_functions_without_parameters(parameters: dict[str, object]) -> None:
    constraint = made(ToolUse((Tool("now", "", parameters),), "required"))
    assert takes(constraint, "now {}")
    assert not takes(constraint, 'now {"')
    assert not takes(constraint, "now []")


def test_names_with_dots_and_dashes_are_taken_literally() -> None:
    tools = (Tool("a.b", "", {}), Tool("a-b_", "", {}), Tool("a", "", {}))
    constraint = made(ToolUse(tools))
    for text in ("a.b {}", "a-b_ {}\na.b {}", "a {}", "axb x", "abc"):
        assert takes(constraint, text), text
    assert not takes(constraint, "a.b x")


def test_free_arguments_where_the_schema_says_so() -> None:
    tool = Tool("log", "", {"type": "object", "additionalProperties": {"type": "integer"}})
    constraint = made(ToolUse((tool,), "required"))
    assert takes(constraint, 'log {"x": 1}')
    assert not takes(constraint, 'log {"x": "1"}')


def test_what_cannot_be_guaranteed_is_refused_with_its_place_in_tools() -> None:
    bad = Tool("f", "", {"type": "object", "properties": {"x": {"pattern": "(?<=a)b"}}})
    with pytest.raises(Unguaranteed) as refusal:
        made(ToolUse((WEATHER, bad)))
    assert refusal.value.keyword == "pattern"
    assert refusal.value.path == "/1/function/parameters/properties/x/pattern"


@pytest.mark.parametrize(
    "parameters", [{"type": "string"}, {"type": 7}, {"anyOf": []}, {"anyOf": [{"type": "null"}]}]
)
def test_parameters_that_are_no_object_s_are_refused(parameters: dict[str, object]) -> None:
    with pytest.raises(Unguaranteed, match="/0/function/parameters"):
        made(ToolUse((Tool("f", "", parameters),)))


def test_a_hundred_and_twenty_eight_functions() -> None:
    tools = tuple(Tool(f"tool_{n}", EVENT.description, EVENT.parameters) for n in range(128))
    began = time.process_time()
    constraint = made(ToolUse(tools))
    assert time.process_time() - began < 5
    assert takes(constraint, 'tool_1 {"标题": "会", "day": 3}\ntool_127 {"标题": "会", "day": 3}')
    assert not takes(constraint, 'tool_128 {"标题": "会", "day": 3}')


def test_a_reply_is_laid_out_without_the_examples() -> None:
    history = [Message("system", "你是小星。"), *ASK]
    planned = plan(history, ToolUse((TREE, CLOCK)), max_tokens=256)
    deciding, answering = planned.messages[0].content, planned.plain[0].content
    assert planned.messages[1:] == planned.plain[1:] == tuple(ASK)
    assert not any(example in answering for example in ("London", "note", "Q:", "A:"))
    assert all(tool.name in answering for tool in (TREE, CLOCK))
    assert deciding.endswith("\n\n你是小星。")
    assert answering.endswith("\n\n你是小星。")


def test_descriptions_are_nothing_but_text() -> None:
    (system, _) = plan(ASK, ToolUse((TREE, CLOCK)), max_tokens=256).messages
    listed = system.content.split("Your functions now:\n")[1].split("\n")
    assert [line.split("(")[0] for line in listed] == ["plant", "get"]


async def test_right_calls() -> None:
    assert await check_call(OFFERED, "get_weather", '{"city": "北京", "unit": "celsius"}') is None
    assert await check_call(OFFERED, "get", " {} ") is None
    assert await check_call(OFFERED, "plant", '{"root": {"v": 1, "next": {"v": 2}}}') is None


@pytest.mark.parametrize(
    ("name", "arguments", "wrong"),
    [
        ("get_weathe", "{}", "no function 'get_weathe'"),
        ("get_weather", "", "cannot be taken"),
        ("get_weather", '{"city": "北京"', "cannot be taken"),
        ("get_weather", '{"city": "北京"} {}', "cannot be taken"),
        ("get_weather", '{"city": NaN}', "cannot be taken"),
        ("get_weather", '{"city": "\\ud800"}', "cannot be taken"),
        ("get_weather", "[" * 100_000, "cannot be taken"),
        ("get_weather", '["北京"]', "not an object"),
        ("get_weather", "{}", "city"),
        ("get_weather", '{"city": "北京", "unit": "kelvin"}', "/unit"),
        ("plant", '{"root": {"v": 1, "next": {"v": "2"}}}', "/root/next/v"),
    ],
)
async def test_wrong_calls(name: str, arguments: str, wrong: str) -> None:
    fault = await check_call(OFFERED, name, arguments)
    assert fault is not None
    assert wrong in fault
    assert name in fault


async def test_a_demanded_function_is_the_only_right_one() -> None:
    use = ToolUse(ALL, "required", frozenset({"get"}))
    assert await check_call(use, "get", "{}") is None
    assert await check_call(use, "get_weather", '{"city": "x"}') is not None
    use = ToolUse(ALL, "auto", frozenset({"get", "plant"}))
    assert await check_call(use, "get", "{}") is None
    assert await check_call(use, "get_weather", '{"city": "x"}') is not None
