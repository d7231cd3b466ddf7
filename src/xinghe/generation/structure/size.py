"""How long an answer may grow: what a part of it comfortably takes, in tokens.

A small model that is left to itself fills strings, arrays and numbers without end. So what the
schema leaves unbounded gets a bound from the tokens at hand, far above what use asks for.
"""

from __future__ import annotations

from typing import Any

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


def comfort(node: Any, depth: int = 0) -> int:
    """Tokens that a value of a canonical schema comfortably takes."""
    if not isinstance(node, dict) or depth > DEPTH or "$ref" in node:
        return TEXT
    if "anyOf" in node:
        return max(comfort(branch, depth + 1) for branch in node["anyOf"])
    if "const" in node or "enum" in node:
        values = node.get("enum", [node.get("const")])
        return 2 + max(len(str(value)) for value in values) // 2
    kind = node.get("type")
    if isinstance(kind, list):
        return max(comfort({"type": one}, depth) for one in kind)
    if kind == "string":
        bound = node.get("maxLength", TEXT)
        return int(max(min(bound, TEXT), node.get("minLength", 0))) + 2
    if kind == "array":
        item = comfort(node.get("items", True), depth + 1)
        count = max(node.get("minItems", 0), min(node.get("maxItems", 3), 3))
        return int(2 + count * (item + 1))
    if kind == "object":
        return (
            sum(
                KEY + len(name) // 2 + comfort(value, depth + 1)
                for name, value in node.get("properties", {}).items()
            )
            or 3 * TEXT
        )
    return NUMBER


def text_bound(tokens: float) -> int:
    """The most characters of a string that has `tokens` to itself."""
    return int(min(max(tokens * CHARACTERS_A_TOKEN, SHORTEST), LONGEST))


def item_bound(tokens: float, item: int) -> int:
    """The most items of an array that has `tokens`, each comfortable with `item`."""
    return int(min(max(tokens // (item + 1), FEWEST), MOST))
