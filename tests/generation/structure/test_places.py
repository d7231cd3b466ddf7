"""Whatever keyword stands at whatever place: the grammar keeps to it, or the end is checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.matcher import laziest
from xinghe.generation.structure.structure import structured

Schema = dict[str, Any]
INTEGER: Schema = {"type": "integer"}
LIKED = b'"}],:a0 ', b'}],:"a0 ', b']},"b1:1 ', b',"]}:a1'
"""What samplers that repeat themselves like best."""


def table(least: int, **keywords: Any) -> Schema:
    return {"type": "object", "minProperties": least, **keywords}


def members(*required: str, **properties: Any) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required)}


KINDS: dict[str, Schema] = {
    "three of any name": table(3, additionalProperties={"type": "string"}, maxProperties=6),
    "one more than declared": table(2, **members("a", a=INTEGER)),
    "two of a pattern": table(2, propertyNames={"pattern": "^[ab]$"}),
    "two of listed names": table(2, propertyNames={"enum": ["a", "b", "c"]}),
    "two, each by its pattern": table(
        2, patternProperties={"^a": INTEGER, "^b": {"type": "null"}}, additionalProperties=False
    ),
    "one, a pattern or not": table(
        1, patternProperties={"^a": INTEGER}, additionalProperties={"type": "boolean"}
    ),
    "two of three optional ones": table(
        2, **members(a=INTEGER, b=INTEGER, c=INTEGER), additionalProperties=False
    ),
    "required, declared nowhere": members("a", "b", b=INTEGER),
    "three items": {"type": "array", "items": INTEGER, "minItems": 3},
    "more items than the prefix": {
        "type": "array", "prefixItems": [INTEGER], "items": {"type": "null"}, "minItems": 3,
    },
    "different items": {"type": "array", "items": INTEGER, "uniqueItems": True, "minItems": 2},
    "two that are contained": {"type": "array", "contains": {"const": 1}, "minContains": 2},
}  # fmt: skip

PLACES: dict[str, Callable[[Schema], Schema]] = {
    "item": lambda kind: {"type": "array", "items": kind, "minItems": 1},
    "prefix": lambda kind: {
        "type": "array", "prefixItems": [{"type": "null"}, kind], "items": INTEGER, "minItems": 2,
    },
    "value of a table": lambda kind: table(1, additionalProperties=kind),
    "anyOf": lambda kind: {"anyOf": [members("x", x=kind), {"type": "array", "prefixItems": [kind],
                                                            "minItems": 1}]},
    "allOf": lambda kind: {"allOf": [members("x", x=kind), table(2)]},
    "reference": lambda kind: members("x", x={"$ref": "#/$defs/K"}) | {"$defs": {"K": kind}},
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_keyword_is_kept_at_every_place(kind: str, place: str) -> None:
    structure = structured(PLACES[place](KINDS[kind]), max_tokens=512)
    texts = [laziest(structure.constraint.grammar, liked) for liked in LIKED]
    assert any(texts)
    wrong = [text for text in texts if text is not None and structure.check(text) is not None]
    assert not structure.exact or not wrong
