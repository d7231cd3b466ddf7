"""Questions about regular expressions, answered by the library that will hold to them."""

from __future__ import annotations

from typing import Any

from llguidance import LLMatcher


def supported(pattern: str) -> bool:
    """Whether a grammar can hold to a pattern: look-around and references back are none."""
    return not _failure({"type": "string", "pattern": pattern})


def disjoint(first: str, second: str) -> bool:
    """Whether it is proved that no text fits both patterns; `False` where it is not known."""
    both: dict[str, Any] = {"type": "string", "allOf": [{"pattern": first}, {"pattern": second}]}
    return "Regex is empty" in _failure(both)


def _failure(schema: dict[str, Any]) -> str:
    return str(LLMatcher.validate_grammar(LLMatcher.grammar_from_json_schema(schema)))
