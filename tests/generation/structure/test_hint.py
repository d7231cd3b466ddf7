"""What a model is told of the form in words: above all what no grammar can hold it to."""

from __future__ import annotations

from typing import Any

import pytest

from xinghe.generation.structure.structure import structured

INTEGER = {"type": "integer"}
TABLE = {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 3}


def told(schema: Any) -> str:
    return structured(schema, max_tokens=512).hint.partition("\n")[2]


@pytest.mark.parametrize(
    ("schema", "sketch"),
    [
        (TABLE, '{"…": string /* at least 3 different names */}'),
        (
            {"type": "array", "prefixItems": [INTEGER, TABLE], "items": {"type": "boolean"}},
            '[integer, {"…": string /* at least 3 different names */}, boolean, …]',
        ),
        (
            {
                "type": "object", "patternProperties": {"^a": INTEGER, "^b": {"type": "null"}},
                "additionalProperties": False, "minProperties": 2,
            },
            '{"…": integer | null /* at least 2 different names */}',
        ),
        (
            {"type": "object", "properties": {"a": INTEGER}, "minProperties": 3},
            '{"a"?: integer, "…": any /* at least 3 different names */}',
        ),
        ({"type": "array", "items": INTEGER, "uniqueItems": True}, "[integer, … all different]"),
        ({"type": "array", "prefixItems": [INTEGER], "items": False}, "[integer]"),
        (
            {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "type": "array", "items": [INTEGER], "additionalItems": {"type": "null"},
            },
            "[integer, null, …]",
        ),
        ({"type": "object"}, '{"…": any}'),
        ({"type": "array"}, "[any, …]"),
    ],
)  # fmt: skip
def test_a_sketch(schema: Any, sketch: str) -> None:
    assert told(schema) == sketch
