"""Strings, numbers and constants: schemas that llguidance's JSON compiler keeps exactly.

What it does not keep by itself is made plain first: formats become patterns, numbers get a
bounded number of digits, and what is left unbounded gets a bound.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from xinghe.generation.structure.errors import Impossible, Unsupported
from xinghe.generation.structure.formats import FORMATS, FREE
from xinghe.generation.structure.lark import CHARACTER, literal
from xinghe.generation.structure.size import text_bound

STRING = frozenset({"type", "minLength", "maxLength", "pattern", "format", "allOf", "not"})
NUMBER = frozenset(
    {"type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
)
EXACT = 2**53 - 1
"""Beyond this, parsers disagree on integers (RFC 8259 §6)."""
WIDE = 10**12
"""The largest absolute value of a number that the schema leaves unbounded."""
DECIMALS, MOST_DECIMALS = 4, 12
"""Digits after the point: at least as many, and at most."""


def string(node: dict[str, Any], tokens: float) -> dict[str, Any]:
    """A string as a schema for the JSON compiler; `tokens` bound what is unbounded."""
    _only(node, STRING - {"not"})
    patterns = [{"pattern": pattern} for pattern in _patterns(node)]
    low = int(node.get("minLength", 0))
    high = min(int(node.get("maxLength", LIMITLESS)), max(text_bound(tokens), 2 * low))
    if low > high:
        raise Impossible("minLength", f"is more than the maxLength {high}")
    leaf: dict[str, Any] = {"type": "string", "minLength": low, "maxLength": high}
    return leaf | ({"allOf": patterns} if patterns else {})


LIMITLESS = 10**9


def other_string(node: dict[str, Any], tokens: float) -> str:
    """A terminal for a string that is none of some constants (`not` with `const` or `enum`)."""
    _only(node, STRING)
    if _patterns(node) or set(node["not"]) - {"const", "enum"}:
        raise Unsupported("not")
    taken = node["not"].get("enum", [node["not"].get("const")])
    low = int(node.get("minLength", 0))
    high = min(int(node.get("maxLength", LIMITLESS)), max(text_bound(tokens), 2 * low))
    words = " | ".join(literal(word) for word in taken if isinstance(word, str))
    return plain_text(low, high, words)


def plain_text(low: int, high: int, taken: str = "") -> str:
    """A terminal for `low` to `high` characters that are none of the literals `taken`."""
    body = f'/"{CHARACTER}{{{low},{high}}}"/'
    return f"{body} & ~({taken})" if taken else body


def number(node: dict[str, Any]) -> dict[str, Any]:
    """An integer or a number with bounded digits, as a schema for the JSON compiler."""
    _only(node, NUMBER)
    low = _largest(node, "minimum", "exclusiveMinimum")
    high = _largest(node, "maximum", "exclusiveMaximum", sign=-1)
    reach = WIDE if max(abs(low or 0), abs(high or 0)) < WIDE else EXACT
    if low is not None and low > reach:
        raise Impossible("minimum", f"is {low:.6g}, beyond {EXACT}, where parsers disagree")
    if high is not None and high < -reach:
        raise Impossible("maximum", f"is {high:.6g}, beyond -{EXACT}, where parsers disagree")
    leaf = {word: _plain(value) for word, value in node.items() if word != "type"}
    for word, bound in (("minimum", -reach), ("maximum", reach)):
        beyond = word in leaf and abs(leaf[word]) > reach
        exclusive = "exclusiveM" + word[1:]
        if beyond or (word not in leaf and exclusive not in leaf):
            leaf[word] = bound
        if exclusive in leaf and abs(leaf[exclusive]) > reach:
            leaf[exclusive] = bound
    if node["type"] == "integer":
        return {"type": "integer"} | leaf
    if "multipleOf" not in leaf:
        digits = [_decimals(value) for value in leaf.values()]
        places = max(DECIMALS, *(digit + 1 for digit in digits))
        if places > MOST_DECIMALS:
            raise Unsupported("minimum", f"has more than {MOST_DECIMALS - 1} decimals")
        leaf["multipleOf"] = float(Decimal(1).scaleb(-places))
    elif _decimals(leaf["multipleOf"]) > MOST_DECIMALS:
        raise Unsupported("multipleOf", f"has more than {MOST_DECIMALS} decimals")
    return {"type": "number"} | leaf


def constant(value: Any) -> bool:
    """Whether a constant is a scalar that every parser reads alike."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return True
    return isinstance(value, int | float) and math.isfinite(value)


def _patterns(node: dict[str, Any]) -> list[str]:
    """All regular expressions of a string, its format's among them."""
    found = []
    for part in [node, *node.get("allOf", [])]:
        if extra := set(part) - STRING | ({"not"} & set(part) if part is not node else set()):
            raise Unsupported(min(extra))
        if "pattern" in part:
            found.append(part["pattern"])
        name = part.get("format")
        if name is not None and name not in FREE:
            if name not in FORMATS:
                raise Unsupported(
                    "format", f"is {name!r}, which is not one of {', '.join(FORMATS)}"
                )
            found.append(f"^(?:{FORMATS[name]})$")
    return found


def _only(node: dict[str, Any], known: frozenset[str]) -> None:
    if extra := set(node) - known:
        raise Unsupported(min(extra))


def _largest(node: dict[str, Any], *words: str, sign: int = 1) -> float | None:
    held = [node[word] for word in words if word in node]
    return None if not held else sign * max(sign * value for value in held)


def _plain(value: Any) -> int | float:
    return int(value) if value == int(value) else float(value)


def _decimals(value: float) -> int:
    exponent = Decimal(repr(value)).normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)
