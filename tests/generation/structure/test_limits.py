"""A schema whose answers could never be checked is refused before one is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from xinghe.core import Tool, ToolUse
from xinghe.generation.structure import Unguaranteed
from xinghe.generation.structure.limits import within_effort
from xinghe.generation.structure.structure import structured
from xinghe.generation.tools.grammar import vet

Ref = dict[str, Any]
OPEN = {"type": "object", "properties": {"story": {"type": "string"}}, "required": ["story"]}


def chain(length: int, step: Callable[[Ref], dict[str, Any]], **last: Any) -> dict[str, Any]:
    """Definitions of which each is what `step` makes of a reference to the next."""
    steps = {f"d{n}": step({"$ref": f"#/$defs/d{n + 1}"}) for n in range(length)}
    return {**steps["d0"], "$defs": {**steps, f"d{length}": last or OPEN}}


def anchored(length: int) -> dict[str, Any]:
    steps = {
        f"d{n}": {"$anchor": f"a{n}", "allOf": [{"$ref": f"#a{n + 1}"}] * 2} for n in range(length)
    }
    return {"$ref": "#a0", "$defs": {**steps, "last": {"$anchor": f"a{length}", **OPEN}}}


def resources(length: int) -> dict[str, Any]:
    steps = {
        f"d{n}": {"$id": f"/s/{n}.json", "allOf": [{"$ref": f"{n + 1}.json"}] * 2}
        for n in range(length)
    }
    last = {"$id": f"/s/{length}.json", **OPEN}
    return {"$id": "http://x/", "$ref": "s/0.json", "$defs": {**steps, "last": last}}


def dynamic(length: int) -> dict[str, Any]:
    steps = {
        f"d{n}": {"$dynamicAnchor": f"a{n}", "allOf": [{"$dynamicRef": f"#a{n + 1}"}] * 2}
        for n in range(length)
    }
    return {"$ref": "#a0", "$defs": {**steps, "last": {"$dynamicAnchor": f"a{length}", **OPEN}}}


WAYS = {
    "all of": chain(40, lambda ref: {"allOf": [ref, ref]}),
    "any of": chain(40, lambda ref: {"anyOf": [ref, ref]}),
    "within": {"type": "object", "properties": {"a": {"$ref": "#/$defs/r"}}, "$defs": {
        "r": {"$ref": "#/$defs/d0"}, **chain(40, lambda ref: {"allOf": [ref, ref]})["$defs"]}},
    "anchors": anchored(40),
    "resources": resources(40),
    "dynamic": dynamic(40),
}  # fmt: skip
TWICE = {
    "property": chain(24, lambda ref: {"allOf": [{"properties": {"a": ref}}] * 2}),
    "property beside": chain(24, lambda ref: {
        "properties": {"a": ref}, "allOf": [{"properties": {"a": ref}}]}),
    "items": chain(24, lambda ref: {"allOf": [{"items": ref}, {"items": ref}]}),
    "value": chain(24, lambda ref: {"allOf": [{"additionalProperties": ref}] * 2}),
    "within": {"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs":
        chain(24, lambda ref: {"allOf": [{"properties": {"a": ref}}] * 2})["$defs"]},
}  # fmt: skip
CONDITIONS = [
    chain(40, lambda ref: {"if": ref, "then": ref}),
    chain(40, lambda ref: {"not": {"dependentSchemas": {"story": ref, "x": ref}}}),
]
EVERYONE = [{"$ref": f"#/$defs/d{n}"} for n in range(7)]
ROUND = {
    "itself": {"allOf": [{"$ref": "#"}, {"type": "object"}]},
    "by its name": {"$id": "http://x/y", "type": "object", "anyOf": [{"$ref": "y"}, OPEN]},
    "each other": {"$ref": "#/$defs/d0", "$defs": {f"d{n}": {"allOf": EVERYONE} for n in range(7)}},
}


@pytest.mark.parametrize("schema", [*WAYS.values(), *TWICE.values()], ids=[*WAYS, *TWICE])
def test_too_many_ways_to_one_value_are_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(Unguaranteed, match="holds a value against more than 20000 subschemas"):
        structured(schema, max_tokens=100)
    with pytest.raises(Unguaranteed, match="holds a value against more than 20000") as refusal:
        vet(ToolUse((Tool("f", "", {"type": "object", **schema}),)))
    assert refusal.value.path == "/0/function/parameters"


@pytest.mark.parametrize("schema", CONDITIONS)
def test_conditions_count(schema: dict[str, Any]) -> None:
    with pytest.raises(Unguaranteed, match="holds a value against more than 20000 subschemas"):
        within_effort(schema)


@pytest.mark.parametrize("schema", ROUND.values(), ids=ROUND)
def test_a_way_that_leads_back_to_the_same_value_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(Unguaranteed, match="leads back to itself for the same value") as refusal:
        structured(schema, max_tokens=100)
    assert refusal.value.keyword in ("$ref", "allOf", "anyOf")


@pytest.mark.parametrize(
    "schema",
    [
        chain(12, lambda ref: {"allOf": [ref, ref]}),
        chain(8, lambda ref: {"allOf": [{"properties": {"a": ref}}] * 2}),
        chain(40, lambda ref: {"anyOf": [{"properties": {"a": ref}}, {"properties": {"a": ref}}]}),
        chain(40, lambda ref: {"properties": {"a": ref, "b": ref}, "items": ref}),
        {"allOf": [{"properties": {"a": {"$ref": "#"}}}] * 2},
        {"type": "object", "properties": {f"p{n}": {"$ref": "#"} for n in range(200)}},
        {"$ref": "#/definitions/a", "definitions": {"a": {"items": {"$ref": "#/definitions/a"}}}},
        {"const": {"allOf": [{"$ref": "#"}]}},
        {"type": "object", "properties": {"$ref": {"type": "string"}, "allOf": {"type": "null"}}},
        {"$defs": {"unused": {"$ref": "#/$defs/unused"}}, "type": "string"},
        {"$id": "http://[", "$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}},
        True,
    ],
    ids=map(str, range(12)),
)
def test_what_leads_on_is_no_fault(schema: Any) -> None:
    within_effort(schema)


@pytest.mark.parametrize(
    "name", ["default", "enum", "const", "example", "examples", "$defs", "definitions", "items"]
)
def test_a_property_may_be_called_like_a_keyword(name: str) -> None:
    inner = {"type": "object", "properties": {name: {"type": "string"}}}
    schema = {"type": "object", "properties": {name: inner}, "required": [name]}
    structured(schema, max_tokens=100)
    vet(ToolUse((Tool("f", "", schema),)))
