"""Whatever a grammar admits fits its schema, however unlikely a model is to write it."""

from __future__ import annotations

import random

import pytest

from tests.kit.matcher import walk
from tests.kit.schemas import Drawer
from xinghe.generation.structure import Unguaranteed
from xinghe.generation.structure.structure import structured

TOKENS = 512


def walked(seed: int, schemas: int, walks: int) -> None:
    drawer, rng, refused, inexact = Drawer(seed), random.Random(seed), 0, 0
    for _ in range(schemas):
        schema = drawer.schema()
        try:
            structure = structured(schema, max_tokens=TOKENS)
        except Unguaranteed as refusal:
            refused += 1
            print(f"refused: {refusal}")
            continue
        inexact += not structure.exact
        for _ in range(walks):
            text = walk(structure.constraint.grammar, rng)
            assert text is not None, schema
            assert not structure.exact or structure.check(text) is None, (schema, text)
    print(f"{schemas} schemas, {refused} refused, {inexact} inexact")
    assert refused <= schemas * 0.1
    assert inexact <= schemas * 0.2  # of those, nothing above is proved


def test_drawn_schemas() -> None:
    walked(seed=3, schemas=60, walks=3)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_many_drawn_schemas() -> None:
    walked(seed=4, schemas=1500, walks=4)


SOUND = {
    "number above 0": {"type": "number", "exclusiveMinimum": 0},
    "number within a hair": {"type": "number", "minimum": 0.001, "maximum": 0.0011},
    "multiple": {"type": "integer", "multipleOf": 7, "minimum": 1, "maximum": 1000},
    "not a multiple of the bounds": {"type": "integer", "exclusiveMinimum": -3.5, "maximum": 4.5},
    "not a constant": {"type": "integer", "not": {"enum": [0, 1, 2, 5]}},
    "one of two, overlapping": {"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 5}]},
    "either key": {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
    "if": {
        "type": "object",
        "properties": {"a": {"enum": [1, 2]}, "b": {"type": "string"}},
        "required": ["a"],
        "if": {"properties": {"a": {"const": 1}}},
        "then": {"required": ["b"]},
        "else": {"properties": {"b": False}},
    },
    "dependent": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "dependentRequired": {"a": ["b"]},
        "dependentSchemas": {"b": {"properties": {"a": {"minimum": 7}}}},
    },
    "names": {"type": "object", "propertyNames": {"pattern": "^[a-c]+$"}, "minProperties": 1},
    "overlapping patterns": {
        "type": "object",
        "patternProperties": {"^x": {"type": "integer"}, "y$": {"minimum": 3}},
        "additionalProperties": False,
    },
    "contains": {"type": "array", "contains": {"const": 3}, "items": {"type": "integer"}},
    "distinct words": {
        "type": "array", "items": {"type": "string"}, "uniqueItems": True, "minItems": 3,
    },
    "distinct numbers": {
        "type": "array", "items": {"type": "integer"}, "uniqueItems": True, "minItems": 5,
    },
    "distinct constants": {
        "type": "array", "items": {"enum": ["a", 1, None]}, "uniqueItems": True, "minItems": 3,
    },
    "unevaluated": {
        "type": "object",
        "allOf": [{"properties": {"a": {"type": "integer"}}}],
        "unevaluatedProperties": False,
    },
    "many keys": {
        "type": "object", "additionalProperties": {"type": "boolean"}, "minProperties": 4,
    },
    "at most two": {
        "type": "object", "required": ["c"], "maxProperties": 2, "additionalProperties": False,
        "properties": {name: {"type": "boolean"} for name in "abc"},
    },
    "draft 4": {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "type": "integer", "minimum": 3, "exclusiveMinimum": True,
    },
    "draft 7 tuple": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "array", "items": [{"type": "integer"}, {"type": "null"}], "additionalItems": False,
    },
    "itself": {"type": "object", "properties": {"c": {"items": {"$ref": "#"}, "type": "array"}}},
    "excluded texts": {"type": "string", "not": {"enum": ["a/b", "\n", "é"]}, "maxLength": 3},
    "Chinese": {"type": "object", "properties": {"姓名": {"const": "张三"}}, "required": ["姓名"]},
    "names to escape": {
        "type": "object",
        "properties": {'a\n"\x00\x7f\\': {"type": "null"}, "%{}/": {"const": "\x7f/\u2028"}},
        "required": ['a\n"\x00\x7f\\', "%{}/"],
    },
    "100 optional ones": {
        "type": "object", "properties": {f"p{i}": {"type": "boolean"} for i in range(100)},
    },
    "conditions": {
        "type": "object",
        "properties": {f"k{i}": {"enum": [1, 2]} for i in range(4)},
        "allOf": [
            {"if": {"properties": {f"k{i}": {"const": 1}}}, "then": {"required": [f"z{i}"]}}
            for i in range(4)
        ],
    },
    "anything": True,
}  # fmt: skip


CHECKED = {
    "distinct words", "distinct numbers", "many keys",
}  # fmt: skip
"""What no grammar of the library's can say: only the check at the end can tell."""


@pytest.mark.parametrize("name", SOUND)
def test_a_keyword_is_kept(name: str) -> None:
    structure, rng = structured(SOUND[name], max_tokens=TOKENS), random.Random(name)
    assert structure.exact is (name not in CHECKED)
    for _ in range(12):
        text = walk(structure.constraint.grammar, rng, soft=40)
        assert text is not None
        assert not structure.exact or structure.check(text) is None, text


FORMATS = (
    "date", "time", "date-time", "duration", "email", "idn-email", "hostname", "idn-hostname",
    "ipv4", "ipv6", "uri", "uri-reference", "iri", "iri-reference", "uuid", "uri-template",
    "json-pointer", "relative-json-pointer", "regex",
)  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_kept(name: str) -> None:
    structure = structured({"type": "string", "format": name}, max_tokens=TOKENS)
    rng = random.Random(name)
    for _ in range(15):
        text = walk(structure.constraint.grammar, rng, soft=rng.randint(1, 60))
        assert text is not None
        assert structure.check(text) is None, text
