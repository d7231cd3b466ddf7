"""A grammar for llguidance, built rule by rule, and how long an answer may grow in it.

A small model that is left to itself fills strings, arrays and numbers without end. So what the
schema leaves unbounded gets a bound from the tokens at hand, far above what use asks for.
"""

from __future__ import annotations

import json
from typing import Any

from llguidance import LLMatcher

CHARACTER = r'(\\["\\nt]|[^"\\\x00-\x1f\x7f])'
"""One character of a JSON string in the only spelling that our own terminals allow."""
COMMA = r"/, ?/"
COLON = r"/: ?/"
"""Models write a space here; more than one is never needed."""
LARGEST = 2**64
"""Beyond this, integers are read as floating-point numbers."""

TEXT = 24
"""Tokens of an ordinary string."""
NUMBER = 4
KEY = 4
"""Tokens around a property's name."""
DEPTH = 6
"""Levels that an estimate looks into."""

CHARACTERS_A_TOKEN = 1.5
SHORTEST, LONGEST = 24, 20_000
"""Characters that an unbounded string may have, at least and at most."""
FEWEST, MOST = 8, 200
"""Items that an unbounded array may have, at least and at most."""


class Written(str):
    """A rule that stands where a schema would."""

    __slots__ = ()


class Lark:
    """A grammar that grows; the names of rules are made, so no schema can collide with them."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._lines: list[str] = []

    def rule(self, body: str, parameter: str = "") -> str:
        """The name of a rule with this body; a parametric one reads `{name}` as itself."""
        if body not in self._names:
            self._names[body] = f"r{len(self._names)}"
            name = self._names[body]
            self._lines.append(f"{name}{parameter}: {body.replace('{name}', name)}")
        return self._names[body]

    def terminal(self, body: str) -> str:
        """The name of a terminal with this body."""
        if body not in self._names:
            self._names[body] = f"T{len(self._names)}"
            self._lines.append(f"{self._names[body]}: {body}")
        return self._names[body]

    def leaf(self, schema: dict[str, Any]) -> str:
        """A rule for a value that llguidance's own JSON compiler is trusted with: a scalar."""
        options = {"x-guidance": {"whitespace_flexible": False}}
        return self.rule("%json " + json.dumps(schema | options, ensure_ascii=False))

    def text(self, start: str) -> str:
        """The whole grammar."""
        return "\n".join([f"start: {start}", *self._lines])


def literal(value: Any) -> str:
    """A Lark literal of the JSON text of a value, without spaces."""
    if isinstance(value, int) and abs(value) > LARGEST:
        value = float(value)  # as one was written: the canonical form counts all its digits
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # A raw DEL is legal in JSON, but not in Lark.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def repeated(item: str, low: int, high: int) -> str:
    """`item` from `low` to `high` times."""
    if high <= 0:
        return ""
    return item if low == high == 1 else f"({item}){{{low},{high}}}"


def grammar_fault(grammar: str) -> str:
    """What llguidance has against a grammar; empty where it compiles."""
    return LLMatcher.validate_grammar(LLMatcher.grammar_from_lark(grammar))


def estimate(node: Any, depth: int = 0) -> int:
    """Tokens that a value of a canonical schema comfortably takes."""
    if not isinstance(node, dict) or depth > DEPTH or "$ref" in node:
        return TEXT
    for word in ("anyOf", "oneOf", "allOf"):
        if word in node and "type" not in node:
            return max(estimate(branch, depth + 1) for branch in node[word])
    if values := node.get("enum", [node["const"]] if "const" in node else []):
        return 2 + max(len(str(value)) for value in values) // 2
    kinds = node.get("type")
    kind = kinds[-1] if isinstance(kinds, list) else kinds
    if kind in ("array", "object"):
        return _nested(node, depth + 1)
    if kind != "string":
        return NUMBER
    return int(max(min(node.get("maxLength", TEXT), TEXT), node.get("minLength", 0))) + 2


def _nested(node: dict[str, Any], depth: int) -> int:
    if "array" in node["type"]:
        count = max(node.get("minItems", 0), min(node.get("maxItems", 3), 3))
        return int(2 + count * (estimate(node.get("items", True), depth) + 1))
    properties = node.get("properties", {}).items()
    return sum(KEY + len(name) // 2 + estimate(value, depth) for name, value in properties) or (
        3 * TEXT
    )


def text_bound(tokens: float) -> int:
    """The most characters of a string that has `tokens` to itself."""
    return int(min(max(tokens * CHARACTERS_A_TOKEN, SHORTEST), LONGEST))


def item_bound(tokens: float, item: int) -> int:
    """The most items of an array that has `tokens`, each comfortable with `item`."""
    return int(min(max(tokens // (item + 1), FEWEST), MOST))
