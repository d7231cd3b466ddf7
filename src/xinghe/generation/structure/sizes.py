"""How long an answer may grow: what the schema leaves unbounded is bounded by tokens.

A small model that is left to itself fills strings, arrays and objects without end. The bounds
are far above what use asks for.
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
FEWEST, MOST = 8, 200
"""Items that an unbounded array may have, at least and at most."""


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


def item_bound(tokens: float, item: int) -> int:
    """The most items of an array that has `tokens`, each comfortable with `item`."""
    return int(min(max(tokens // (item + 1), FEWEST), MOST))
