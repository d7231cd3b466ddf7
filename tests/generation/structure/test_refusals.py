"""What cannot be promised is refused at once, with the keyword and its place."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import pytest

from tests.kit.hostile import patterns
from xinghe.generation.structure import Unguaranteed
from xinghe.generation.structure.structure import structured


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return schema


MANY = {"type": "object", "properties": {f"p{i}": {"type": "integer"} for i in range(10_000)}}
BRANCHY = {
    "allOf": [
        {"anyOf": [{"properties": {f"p{i}": {"const": j}}} for j in range(8)]} for i in range(8)
    ]
}
MUTUAL = {
    "$ref": "#/$defs/n0",
    "$defs": {
        f"n{i}": {
            "type": "object",
            "properties": {f"c{j}": {"$ref": f"#/$defs/n{j}"} for j in range(12)},
        }
        for i in range(12)
    },
}

CONDITIONAL = {
    "type": "object",
    "allOf": [
        {"if": {"properties": {f"k{i}": {"const": 1}}}, "then": {"required": [f"z{i}"]}}
        for i in range(30)
    ],
}
WORD = {"type": "string", "format": "isbn"}
ENDLESS = {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}, "required": ["n"]}
OBJECTS = {"type": "array", "items": {"type": "object"}, "uniqueItems": True, "minItems": 2}
PAIR = {
    "type": "array", "uniqueItems": True, "minItems": 2,
    "prefixItems": [{"type": "integer"}, {"type": "number"}],
}  # fmt: skip
DATE_OR_TIME = {
    "oneOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "ipv4"}]
}
TWO_OF_ONE = {
    "type": "object",
    "properties": {
        "a": {
            "type": "array",
            "items": {"type": "array", "minItems": 2, "maxItems": 1},
            "minItems": 1,
        }
    },
    "required": ["a"],
}
ENCODED = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "contentEncoding": "base64",
    "contentMediaType": "application/json",
}
LONG = {"type": "string", "pattern": "^(?=.*[A-Z])(?=.*[a-z]).*$", "minLength": 40}
UNMATCHABLE = {"type": "string", "pattern": "^a{0,3}$", "minLength": 5}

REFUSED: dict[str, tuple[Any, str, str]] = {
    "look-ahead at nothing": ({"type": "string", "pattern": "^(?=a)b"}, "pattern", "/pattern"),
    "edge of a word": ({"type": "string", "pattern": r"\bone\b"}, "pattern", "/pattern"),
    "look-behind": ({"type": "string", "pattern": "(?<!a)b"}, "pattern", "/pattern"),
    "backreference": ({"type": "string", "pattern": r"^(a|b)\1$"}, "pattern", "/pattern"),
    "no regex": ({"type": "string", "pattern": "("}, "pattern", "/pattern"),
    "format": ({"properties": {"x": WORD}}, "format", "/properties/x/format"),
    "remainders": ({"type": "integer", "multipleOf": 123456789}, "multipleOf", "/multipleOf"),
    "a hair's breadth": ({"type": "number", "minimum": 1e-10}, "minimum", "/minimum"),
    "elsewhere": ({"$ref": "https://example.com/s.json"}, "$ref", "/$ref"),
    "a file": ({"$ref": "file:///etc/passwd"}, "$ref", "/$ref"),
    "nowhere": ({"properties": {"a": {"$ref": "#/$defs/nope"}}}, "$ref", "/properties/a/$ref"),
    "unknown draft": ({"$schema": "https://example.com/mine"}, "$schema", "/$schema"),
    "type": ({"properties": {"a": {"type": "text"}}}, "type", "/properties/a/type"),
    "negative": ({"type": "string", "minLength": -1}, "minLength", "/minLength"),
    "required": ({"type": "object", "required": "a"}, "required", "/required"),
    "list": ([], "schema", ""),
    "nothing": (False, "schema", ""),
    "contradiction": ({"type": "integer", "minimum": 5, "maximum": 4}, "minimum", "/minimum"),
    "contradiction within": (TWO_OF_ONE, "minItems", "/properties/a/items/minItems"),
    "no base": (
        {"$ref": "#/$defs/n", "$defs": {"n": ENDLESS}}, "$ref", "/$defs/n/properties/n/$ref",
    ),
    "unmatchable, ahead": (
        {"type": "string", "pattern": "^(?=.*a)[ab]{0,3}$", "minLength": 5}, "pattern", "/pattern",
    ),
    "unmatchable": (UNMATCHABLE, "pattern", "/pattern"),
    "too long a text": ({"type": "string", "minLength": 10**9}, "minLength", "/minLength"),
    "too many items": ({"type": "array", "minItems": 10**6}, "minItems", "/minItems"),
    "beyond integers": ({"type": "integer", "minimum": 10**30}, "minimum", "/minimum"),
    "beyond numbers": (
        {"type": "number", "exclusiveMinimum": 1.7e308}, "exclusiveMinimum", "/exclusiveMinimum",
    ),
    "encoded": (ENCODED, "contentEncoding", "/contentEncoding"),
    "encoded text": (
        {"$schema": ENCODED["$schema"], "properties": {"k": {"type": "string", **ENCODED}}},
        "contentEncoding", "/properties/k/contentEncoding",
    ),
    "100 levels": (nested(100), "properties", ""),
    "10,000 properties": (MANY, "properties", "/properties"),
    "long regex": ({"type": "string", "pattern": "a" * 5000}, "pattern", "/pattern"),
}  # fmt: skip


CHECKED: dict[str, tuple[Any, str, str]] = {
    "not a format": ({"type": "string", "not": {"format": "date"}}, '"x"', '"2024-02-29"'),
    "not a multiple": ({"type": "integer", "not": {"multipleOf": 3}}, "4", "3"),
    "distinct pairs": (PAIR, "[1, 2]", "[1, 1]"),
    "distinct objects": (OBJECTS, '[{}, {"a": 1}]', "[{}, {}]"),
    "long, with two ahead": (LONG, f'"{"aB" * 20}"', f'"{"b" * 40}"'),
    "found anywhere": (patterns(3), '"abcde"', '"abc"'),
    "beyond doubles": ({"const": 2**60 + 1}, str(2**60 + 1), str(2**60)),
    "beyond 64 bits": ({"const": -(2**63)}, str(-(2**63)), str(-(2**63) - 2048)),
    "one of two formats": (DATE_OR_TIME, '"127.0.0.1"', '"x"'),
}


@pytest.mark.parametrize("name", CHECKED)
def test_what_no_grammar_can_say_is_checked(name: str) -> None:
    schema, right, wrong = CHECKED[name]
    structure = structured(schema, max_tokens=512)
    assert not structure.exact
    assert structure.check(right) is None
    assert structure.check(wrong) is not None


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    schema, keyword, path = REFUSED[name]
    began = time.process_time()
    with pytest.raises(Unguaranteed) as refusal:
        structured(schema, max_tokens=512)
    assert time.process_time() - began < 2
    if name != "100 levels":  # where the limit is crossed
        assert (refusal.value.keyword, refusal.value.path) == (keyword, path)
    assert len(str(refusal.value)) < 1000


def test_what_no_grammar_holds_is_not_told_to_be_impossible() -> None:
    with pytest.raises(Unguaranteed, match=r"is '\.\*a\.\{60\}', which no grammar can hold"):
        structured({"type": "string", "pattern": ".*a.{60}"}, max_tokens=512)


@pytest.mark.parametrize(
    "schema",
    [
        BRANCHY,
        MUTUAL,
        CONDITIONAL,
        nested(15),
        {"type": "string", "pattern": r"^(a|aa|aaa)*(b+b+)+$"},
        {"type": "string", "pattern": r"^(([a-z]{1,100}){1,100}){1,100}$"},
        {"type": "string", "pattern": r"^(.*a.*){12}$"},
        {"type": "string", "pattern": r"^[ab]*a[ab]{30}$", "maxLength": 400},
        {"type": "array", "items": {"type": "array", "items": {"type": "array"}}, "minItems": 200},
        {"enum": [f"word{i}" for i in range(1000)]},
        {"type": "object", "properties": {f"p{i}": {} for i in range(300)}},
    ],
)
def test_a_hostile_schema_costs_little(schema: Any) -> None:
    began = time.process_time()
    with suppress(Unguaranteed):
        structured(schema, max_tokens=512)
    assert time.process_time() - began < 2


NOT_STRICT = (
    '{"a":NaN}', '{"a":1e999}', '{"a":"\\ud800"}', "{}{}", "", "[1,]", "{'a':1}", "[" * 99999,
)  # fmt: skip


@pytest.mark.parametrize("text", NOT_STRICT)
def test_not_strict_json(text: str) -> None:
    assert structured(True, max_tokens=64).check(text) is not None


def test_formats_and_drafts_are_asserted() -> None:
    date = structured({"type": "string", "format": "date"}, max_tokens=64)
    assert date.check('"2024-02-29"') is None
    assert "2023-02-29" in (date.check('"2023-02-29"') or "")
    assert structured(max_tokens=64).check("[1]") is not None
