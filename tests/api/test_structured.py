"""Structured output (section 5.5): an answer that does not end with `length` holds."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from tests.kit.api import STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import answered, broke_off, malformed, no_engine, refused
from tests.kit.models import ABLE, CHAT, DULL
from tests.kit.script import Call, Fault, Script, Wire
from tests.kit.server import Server
from tests.kit.upstream import Upstream

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "姓名": {"type": "string", "minLength": 1, "maxLength": 20},
        "年龄": {"type": "integer", "minimum": 0, "maximum": 150},
    },
    "required": ["姓名", "年龄"],
    "additionalProperties": False,
}
GOOD = '{"姓名": "李白", "年龄": 61}'


def wants(schema: Any) -> dict[str, Any]:
    """OpenAI's nesting."""
    named = {"name": "person", "schema": schema, "strict": True}
    return {"type": "json_schema", "json_schema": named}


def content(body: Any) -> str:
    text = body["choices"][0]["message"]["content"]
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("model", [ABLE, DULL])
@pytest.mark.parametrize("form", [wants(SCHEMA), {"type": "json_schema", "json_schema": SCHEMA}])
def test_both_nestings(api: Api, upstream: Upstream, model: str, form: dict[str, Any]) -> None:
    """An upstream is told the schema where it can be held to one, and in words in any case."""
    script = Script(thoughts=[], pieces=[GOOD[:7], GOOD[7:]])
    second = Script([GOOD[:7], GOOD[7:]])
    script = Script(script.pieces, again=[second])
    body = answered(
        api.chat(model=model, messages=script.messages, response_format=form, thinking_budget=1)
    )
    assert json.loads(content(body)) == {"姓名": "李白", "年龄": 61}
    sent = upstream.attempts(script)[-1].body
    assert "年龄" in sent["messages"][-1]["content"]
    if model == ABLE:
        assert sent["response_format"]["json_schema"]["schema"] == SCHEMA
    else:
        assert "response_format" not in sent


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"enum": [1], "type": "integer"}, "1"),
        (
            {
                "$schema": "http://json-schema.org/draft-04/schema#",
                "enum": [1.0],
                "type": ["integer"],
            },
            "1",
        ),
        ({"const": 1.0, "type": "integer"}, "1"),
        ({"type": "object", "properties": {}, "required": ["a"]}, '{"a": 1}'),
        (
            {"type": "object", "properties": {"o": {"required": ["a"]}}, "required": ["o"]},
            '{"o": {"a": 1}}',
        ),
    ],
)
def test_schemas_that_openai_takes(api: Api, schema: dict[str, Any], text: str) -> None:
    """Listed integers, and required names that no property has; strict or not, and bare."""
    for form in (wants(schema), {"type": "json_schema", "json_schema": schema}):
        for model in (ABLE, DULL):
            script = Script([text])
            body = answered(api.chat(model=model, messages=script.messages, response_format=form))
            assert content(body) == text


@pytest.mark.parametrize(
    "broken",
    [
        '{"姓名": "李白"}',
        '{"姓名": "李白", "年龄": 151}',
        "当然!" + GOOD,
        GOOD + "。",
        "[]",
        "",
        "{",
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_broken_answer_never_leaves(
    api: Api, upstream: Upstream, broken: str, stream: bool
) -> None:
    """Not a piece of it: the upstream is asked again."""
    script = Script([broken[:3], broken[3:]], again=[Script([GOOD])])
    fields: dict[str, Any] = {
        "model": ABLE, "messages": script.messages, "response_format": wants(SCHEMA),
    }  # fmt: skip
    if stream:
        shown = api.stream(**fields)
        assert (shown.content, shown.finish_reason) == (GOOD, "normal")
    else:
        assert content(answered(api.chat(**fields))) == GOOD
    assert len(upstream.attempts(script)) == 2


NAMES = {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 3}
AT_PLACES: list[tuple[Any, str, str]] = [
    (NAMES, '{"a": 1, "a": 2, "a": 3}', '{"a": 1, "b": 2, "c": 3}'),
    (
        {"type": "array", "prefixItems": [{"type": "null"}, NAMES], "minItems": 2},
        '[null, {"a": 1, "a": 2, "a": 3}]', '[null, {"a": 1, "b": 2, "c": 3}]',
    ),
    (
        {"type": "array", "items": {"anyOf": [NAMES, {"type": "array", "minItems": 2}]}},
        '[{"a": 1}, [1]]', '[{"a": 1, "b": 2, "c": 3}, [1, 2]]',
    ),
    (
        {"allOf": [{"type": "object", "properties": {"x": NAMES}}, {"required": ["x"]}]},
        '{"x": {"a": 1, "b": 2}}', '{"x": {"a": 1, "b": 2, "c": 3}}',
    ),
    (
        {
            "type": "object", "additionalProperties": False, "minProperties": 2,
            "patternProperties": {"^[ab]$": {"type": "array", "uniqueItems": True}},
        },
        '{"a": [], "a": []}', '{"a": [], "b": [1, 2]}',
    ),
]  # fmt: skip
"""A schema, a text that does not fit it, one that does."""


@pytest.mark.parametrize("model", [ABLE, DULL])
@pytest.mark.parametrize(("schema", "wrong", "right"), AT_PLACES)
def test_whatever_is_broken_at_whatever_place_never_leaves(
    api: Api, model: str, schema: Any, wrong: str, right: str
) -> None:
    form = wants(schema)
    second = Script([wrong], again=[Script([wrong]), Script([right])])
    body = answered(api.chat(model=model, messages=second.messages, response_format=form))
    assert content(body) == right
    no_engine(api.chat(model=model, messages=Script([wrong]).messages, response_format=form))


def test_it_is_asked_again_for_another_draw(api: Api, upstream: Upstream) -> None:
    """As the first was drawn, the same text would come again."""
    script = Script(["不"], again=[Script(["不"]), Script([GOOD])])
    reply = api.at(STRICT).chat(
        model=ABLE, messages=script.messages, response_format=wants(SCHEMA), seed=7, temperature=0
    )
    assert content(answered(reply)) == GOOD
    first, *later = (attempt.body for attempt in upstream.attempts(script))
    assert (first["seed"], first["temperature"]) == (7, 0)
    assert len({first["seed"], *(body["seed"] for body in later)}) == 3
    assert all(body["temperature"] > 0.5 for body in later)


def test_answer_that_stays_broken(api: Api, books: Books) -> None:
    reply = api.chat(model=ABLE, messages=Script(["不"]).messages, response_format=wants(SCHEMA))
    no_engine(reply)
    books.free(reply.headers["x-request-id"])


@pytest.mark.parametrize("wire", ["bytewise", "one_write"])
def test_drafts_behind_a_thought_that_was_shown_cost_nothing(
    api: Api, books: Books, wire: Wire
) -> None:
    """The thought is owed, as it was seen, be it with its end; none of the three drafts was."""
    script = Script(["想", "一", "想。"], wire=wire, again=[Script(["不", "是", "的", "!"])] * 3)
    stream = api.stream(model=DULL, messages=script.messages, response_format=wants(SCHEMA))
    broke_off(stream)
    assert stream.content == ""
    assert books.usage(stream.headers["x-request-id"])["completion_tokens"] == 3
    books.settled()


@pytest.mark.parametrize("fault", ["none", "truncate"])
def test_a_draft_behind_the_engine_s_own_thought_costs_nothing(
    api: Api, books: Books, fault: Fault
) -> None:
    """Be it that it does not hold, or that it breaks off."""
    thoughts, draft = ["想", "一", "想。"], ["不", "是", "的", "!"]
    script = Script(draft, thoughts=thoughts, wire="bytewise", fault=fault, after=6, usage=False)
    stream = api.stream(model=ABLE, messages=script.messages, response_format=wants(SCHEMA))
    broke_off(stream)
    assert stream.content == ""
    assert books.usage(stream.headers["x-request-id"])["completion_tokens"] == 3
    books.settled()


def test_answer_that_is_cut_off_ends_with_length(api: Api) -> None:
    script = Script(['{"姓', "名", '": "', "李白"])
    body = answered(
        api.chat(model=ABLE, messages=script.messages, response_format=wants(SCHEMA), max_tokens=3)
    )
    assert body["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("form", [{"type": "json_object"}, "json_object"])
@pytest.mark.parametrize("broken", ["[1]", '"a"', "1", '{"a": NaN}', '{"a": 1} ok'])
def test_json_object(api: Api, form: Any, broken: str) -> None:
    script = Script([broken], again=[Script(['{"天气": "晴"}'])])
    body = answered(api.chat(model=ABLE, messages=script.messages, response_format=form))
    assert json.loads(content(body)) == {"天气": "晴"}


def test_json_object_with_a_schema(api: Api, upstream: Upstream) -> None:
    """Where llama.cpp, Together and others take it."""
    form = {"type": "json_object", "schema": SCHEMA}
    script = Script(['{"天气": "晴"}'], again=[Script([GOOD])])
    body = answered(api.chat(model=ABLE, messages=script.messages, response_format=form))
    jsonschema_rs.validate(SCHEMA, json.loads(content(body)))
    sent = upstream.attempts(script)[0].body["response_format"]
    assert sent["json_schema"]["schema"] == SCHEMA


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (3, "response_format.schema is 3, allowed: a JSON Schema"),
        ({"type": "strin"}, "response_format.schema"),
    ],
)
def test_json_object_with_a_schema_that_is_none(api: Api, schema: object, says: str) -> None:
    form = {"type": "json_object", "schema": schema}
    malformed(api.chat(model=ABLE, response_format=form), says)


@pytest.mark.parametrize("form", [{"type": "text"}, "text", None])
def test_text(api: Api, form: Any) -> None:
    answered(api.chat(model=CHAT, response_format=form))


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"type": "string", "pattern": "^b+(?<!a)$"}, "pattern"),
        ({"type": "strin"}, "strin"),
        ({"type": "string", "pattern": "("}, "pattern"),
        ({"type": "string", "minLength": 5, "maxLength": 2}, "response_format"),
        ({"type": "string", "minLength": 10_000_000}, "minLength"),
        ({"$ref": "https://example.com/schema"}, "$ref"),
    ],
)
def test_what_cannot_be_guaranteed_is_refused(
    api: Api, upstream: Upstream, schema: dict[str, Any], says: str
) -> None:
    """Before a token is spent, with the keyword named, even if an upstream would take it."""
    script = Script()
    reply = api.chat(model=ABLE, messages=script.messages, response_format=wants(schema))
    malformed(reply, says, param="response_format")
    assert upstream.attempts(script) == []


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"response_format": {"type": "xml"}}, "json_schema"),
        ({"response_format": "json_schema"}, "text, json_object"),
        ({"response_format": 1}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": 1}}, "JSON Schema"),
        ({"response_format": wants(1)}, "JSON Schema"),
        ({"response_format": {"type": "json_object"}, "stop": "}"}, "stop"),
    ],
)
def test_what_cannot_be_meant(api: Api, fields: dict[str, Any], says: str) -> None:
    malformed(api.chat(model=ABLE, **fields), says)


@pytest.mark.parametrize(
    ("model", "form"),
    [
        ("deepseek-v3", wants(SCHEMA)),
        ("ernie-x1-32k-preview", {"type": "json_object"}),
        (CHAT, {"type": "json_object"}),
    ],
)
def test_model_without_it(api: Api, model: str, form: Any) -> None:
    refused(
        api.chat(model=model, response_format=form), 401, "access_denied",
        "no_parameter_permission", model, param="response_format",
    )  # fmt: skip


@pytest.mark.embedded
@pytest.mark.parametrize("mount", ["/llm/lmapi/v3", STRICT])
def test_embedded_engine(api: Api, mount: str) -> None:
    question = [{"role": "user", "content": "介绍李白"}]
    body = answered(
        api.at(mount).chat(
            model="ernie-4.5-turbo-32k",
            messages=question,
            response_format=wants(SCHEMA),
            max_tokens=80,
        )
    )
    jsonschema_rs.validate(SCHEMA, json.loads(content(body)))
    assert body["choices"][0]["finish_reason"] in {"normal", "stop"}


SETS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "颜色": {
            "type": "array", "items": {"enum": ["红", "黄", "蓝"]}, "uniqueItems": True,
            "minItems": 2, "maxItems": 3,
        },
        "价格": {"type": "string", "pattern": r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$", "maxLength": 8},
        "城市": {"type": "string", "not": {"const": "北京"}, "maxLength": 8},
    },
    "required": ["颜色", "价格", "城市"],
}  # fmt: skip


@pytest.mark.embedded
def test_what_no_grammar_can_say_is_checked_on_the_embedded_engine(api: Api) -> None:
    """Items that differ, what must not be found in a text: three draws are enough."""
    stream = api.stream(
        model="ernie-4.5-turbo-32k",
        messages=[{"role": "user", "content": "介绍一件商品"}],
        response_format=wants(SETS),
        max_tokens=120,
    )
    jsonschema_rs.validate(SETS, json.loads(stream.content))


@pytest.mark.embedded
@pytest.mark.slow
def test_arguments_that_no_grammar_can_say_are_checked_on_the_embedded_engine(api: Api) -> None:
    function = {"name": "paint", "description": "paint a thing in colours", "parameters": SETS}
    body = answered(
        api.chat(
            model="ernie-x1-turbo-32k",
            messages=[{"role": "user", "content": "把价格 3 元、上海的杯子涂成红色和蓝色"}],
            tools=[{"type": "function", "function": function}],
            tool_choice="required",
            max_tokens=120,
            thinking_budget=1,
        )
    )
    assert body["choices"][0]["finish_reason"] == "function_call"
    (call, *_) = body["choices"][0]["message"]["tool_calls"]
    jsonschema_rs.validate(SETS, json.loads(call["function"]["arguments"]))


TWO_NAMES = {
    "type": "array",
    "prefixItems": [{"type": "null"}, {
        "type": "object", "propertyNames": {"pattern": "^[ab]$"},
        "minProperties": 3, "maxProperties": 3,
        "additionalProperties": {"type": "null"},
    }],
    "items": False, "minItems": 2,
}  # fmt: skip
"""Nothing fits it, which nobody can tell before: there are two names, and three are demanded."""


@pytest.mark.embedded
def test_what_the_embedded_engine_never_gets_right_is_an_error(api: Api, books: Books) -> None:
    """A grammar admits a name that comes again, which does not count: no draw of three leaves."""
    question = [{"role": "user", "content": "Go on."}]
    form = wants(TWO_NAMES)
    reply = api.chat(model="ernie-4.5-turbo-32k", messages=question, response_format=form)
    no_engine(reply)
    books.free(reply.headers["x-request-id"])


@pytest.mark.embedded
def test_embedded_engine_streams_as_it_writes(api: Api) -> None:
    stream = api.stream(
        model="ernie-3.5-8k",
        messages=[{"role": "user", "content": "用json介绍一个城市"}],
        response_format={"type": "json_object"},
        max_tokens=200,
    )
    assert len([chunk for chunk in stream.chunks if chunk["choices"]]) > 3
    if stream.finish_reason == "normal":
        assert isinstance(json.loads(stream.content), dict)
    else:
        assert stream.finish_reason == "length"


def test_an_answer_that_does_not_hold_is_in_no_log(server: Server, api: Api) -> None:
    script = Script(['{"姓名": "李白", "年龄": "QUITE-PRIVATE"}'])
    reply = api.chat(model=ABLE, messages=script.messages, response_format=wants(SCHEMA))
    no_engine(reply)
    log = server.log.read_text("utf-8")
    assert "output_invalid" in log
    assert "QUITE-PRIVATE" not in log


def test_a_call_nobody_offered_is_no_way_out_of_the_form(api: Api) -> None:
    script = Script(['{"姓名"'], calls=[Call("f", ["{}"])], again=[Script([GOOD])])
    body = answered(api.chat(model=ABLE, messages=script.messages, response_format=wants(SCHEMA)))
    assert json.loads(content(body)) == {"姓名": "李白", "年龄": 61}
