"""What llguidance's JSON compiler is told, and what it has against it."""

from __future__ import annotations

import json
from typing import Any

from llguidance import LLMatcher

OPTIONS = {
    "x-guidance": {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
}
"""One space where models write one. Older versions take separators as they stand, newer ones as
expressions: these mean the same to both."""


def grammar_of(schema: Any) -> str:
    """A schema that the library takes, as a grammar."""
    told = schema | OPTIONS if isinstance(schema, dict) else schema
    return "start: %json " + json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def grammar_fault(grammar: str) -> str:
    """What the library has against a grammar; empty where it compiles."""
    return LLMatcher.validate_grammar(LLMatcher.grammar_from_lark(grammar))
