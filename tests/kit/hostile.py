"""Schemas that cost far more than their size, or are far deeper than they look."""

from __future__ import annotations

from typing import Any

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def patterns(count: int, salt: str = "") -> dict[str, Any]:
    """Each may match anywhere: automata of their meeting grow with the product."""
    parts = [{"pattern": f".*{LETTERS[i % 26]}.{{{i}}}"} for i in range(count)]
    return {"type": "string", "description": salt, "allOf": parts}


def pattern_properties(count: int, salt: str = "") -> dict[str, Any]:
    found = {f"^{LETTERS[i % 26]}.*{i}[a-z]*$": {"type": "integer"} for i in range(count)}
    return {"type": "object", "description": salt, "patternProperties": found}


def choices(factors: int, branches: int) -> dict[str, Any]:
    """A product of unions."""
    return {
        "allOf": [
            {
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {f"p{i}": {"type": "string", "minLength": j}},
                        "required": [f"p{i}", f"q{j}"],
                    }
                    for j in range(branches)
                ]
            }
            for i in range(factors)
        ]
    }


def of_itself(properties: int) -> dict[str, Any]:
    return {"type": "object", "properties": {f"p{i}": {"$ref": "#"} for i in range(properties)}}


def mutual(count: int) -> dict[str, Any]:
    names = [f"n{i}" for i in range(count)]
    everyone = {name: {"$ref": f"#/$defs/{name}"} for name in names}
    node = {"type": "object", "properties": everyone}
    return {"$ref": "#/$defs/n0", "$defs": dict.fromkeys(names, node)}


def cycle(count: int) -> dict[str, Any]:
    """Models of which each lists the next."""
    models = {
        f"m{i}": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "next": {"type": "array", "items": {"$ref": f"#/$defs/m{(i + 1) % count}"}},
            },
        }
        for i in range(count)
    }
    return {"$ref": "#/$defs/m0", "$defs": models}


def twice(count: int) -> dict[str, Any]:
    """Definitions of which each says twice that a property is the next: 2**count ways."""
    steps = {
        f"d{i}": {
            "type": "object",
            "allOf": [{"properties": {"a": {"$ref": f"#/$defs/d{i + 1}"}}} for _ in range(2)],
        }
        for i in range(count)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**steps, f"d{count}": {"type": "integer"}}}


DRAFT_4 = "http://json-schema.org/draft-04/schema#"
FLAGGED = {
    "$schema": DRAFT_4,
    "type": "object",
    "properties": {"a": {"type": "number", "minimum": 0, "exclusiveMinimum": True}},
    "required": ["a"],
}
ONE_OF_THREE = {
    "$schema": DRAFT_4,
    "oneOf": [{"$ref": f"#/definitions/{name}"} for name in "abc"],
    "definitions": {
        name: {
            "type": "object",
            "properties": {"kind": {"enum": [name]}, "size": {"type": "integer"}},
            "required": ["kind"],
        }
        for name in "abc"
    },
}
