"""Values that a schema lists, beside a type and in every draft."""

from __future__ import annotations

from typing import Any

import pytest
from llguidance import LLMatcher

from tests.kit.matcher import TOKENIZER
from xinghe.generation.structure.structure import structured

DRAFTS = [
    "http://json-schema.org/draft-04/schema#",
    "http://json-schema.org/draft-07/schema#",
    "https://json-schema.org/draft/2020-12/schema",
]


@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        ({"enum": [1], "type": "integer"}, ["1"], ["2", '"1"']),
        ({"enum": [1.0, 2e3], "type": "integer"}, ["1", "2000"], ["3"]),
        ({"enum": [1, 2.5], "type": "number"}, ["1", "2.5"], ["2"]),
        ({"enum": ["a", 1, 1.5], "type": "integer"}, ["1"], ['"a"', "1.5"]),
        ({"enum": [1, "a", None, True]}, ["1", '"a"', "null", "true"], ["2", "false"]),
        ({"enum": [1, None], "type": ["integer", "null"]}, ["1", "null"], ["0"]),
        ({"enum": [1, 5], "type": "integer", "minimum": 2}, ["5"], ["1"]),
        ({"enum": [2**60, -(2**62)]}, [str(2**60), str(-(2**62))], [str(2**60 + 1)]),
        ({"enum": [-1, 0], "type": "integer"}, ["-1", "0"], ["1"]),
        ({"allOf": [{"enum": [1, 2]}, {"type": "integer"}]}, ["1", "2"], ["3"]),
        ({"type": "array", "items": {"enum": [7], "type": "integer"}, "minItems": 1}, ["[7]"], []),
        (
            {"type": "object", "properties": {"a": {"enum": [1], "type": "integer"}}},
            ['{"a": 1}', "{}"],
            ['{"a": 2}'],
        ),
    ],
)
def test_listed_values(
    schema: dict[str, Any], right: list[str], wrong: list[str], draft: str
) -> None:
    made = structured({"$schema": draft, **schema}, max_tokens=64)
    for text in right:
        assert admits(made.constraint.grammar, text), text
        assert made.check(text) is None
    for text in wrong:
        assert not admits(made.constraint.grammar, text), text
        assert made.check(text)


@pytest.mark.parametrize("name", ["const", "enum", "default", "examples", "required", "$ref"])
def test_a_property_may_be_called_as_a_keyword(name: str) -> None:
    inner = {"type": "object", "properties": {name: {"type": "boolean"}}, "required": [name]}
    schema = {"type": "object", "properties": {name: inner}, "required": [name]}
    made = structured(schema, max_tokens=64)
    right = f'{{"{name}": {{"{name}": true}}}}'
    assert admits(made.constraint.grammar, right)
    assert made.check(right) is None
    assert made.check(right.replace("true", "1"))


def admits(grammar: str, text: str) -> bool:
    matcher = LLMatcher(TOKENIZER, LLMatcher.grammar_from_lark(grammar), log_level=0)
    kept = all(matcher.try_consume_tokens([byte]) for byte in text.encode())
    return kept and matcher.is_accepting()
