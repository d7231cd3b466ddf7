"""Numbers: schemas that llguidance's JSON compiler keeps exactly.

What it does not keep by itself is made plain first: numbers get a bounded number of digits, and
what is left unbounded gets a bound.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from xinghe.generation.structure.refusals import Impossible, Unsupported

BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
NUMBER = BOUNDS | {"type", "multipleOf"}
EXACT = 2**53 - 1
"""Beyond this, parsers disagree on integers (RFC 8259 §6)."""
WIDE = 10**12
"""The largest absolute value of a number that the schema leaves unbounded."""
DECIMALS, MOST_DECIMALS = 4, 10
"""Digits after the point: at least as many, and at most."""

MOST_STATES = 100_000
"""Remainders that are told apart: at a thousand times as many the engine is busy for minutes."""


def number(node: dict[str, Any]) -> dict[str, Any]:
    """An integer or a number with bounded digits, as a schema for the JSON compiler.

    Its bounds are such values themselves: the compiler takes 0 for more than 0 where the other
    bound is a small fraction.
    """
    if extra := set(node) - NUMBER:
        raise Unsupported(min(extra))
    node = _modern(node)
    low, above = _bound(node, "minimum", "exclusiveMinimum", 1)
    high, below = _bound(node, "maximum", "exclusiveMaximum", -1)
    reach = WIDE if all(abs(end) < WIDE for end in (low, high) if end is not None) else EXACT
    if low is not None and low > reach:
        raise Impossible("minimum", f"is {low:.6g}, beyond {EXACT}, where parsers disagree")
    if high is not None and high < -reach:
        raise Impossible("maximum", f"is {high:.6g}, beyond -{EXACT}, where parsers disagree")
    step = _step(node)
    far = Decimal(reach)
    low = -far if low is None else max(low, -far)
    high = far if high is None else min(high, far)
    least = (low / step).to_integral_value(ROUND_CEILING) * step
    most = (high / step).to_integral_value(ROUND_FLOOR) * step
    least += step if above and least == low else 0
    most -= step if below and most == high else 0
    if least > most:
        raise Impossible("minimum", "leaves no number below the maximum")
    leaf: dict[str, Any] = {"type": node["type"], "minimum": _plain(least), "maximum": _plain(most)}
    whole = node["type"] == "integer" and "multipleOf" not in node
    return leaf if whole else leaf | {"multipleOf": _plain(step)}


def fraction(node: Any) -> bool:
    """Whether a schema means the numbers that are not integers."""
    return isinstance(node, dict) and node.get("not") == {"multipleOf": 1}


def rounded(value: Any) -> bool:
    """Whether a constant holds a number that is another one in floating point."""
    if isinstance(value, dict):
        return any(map(rounded, value.values()))
    if isinstance(value, list):
        return any(map(rounded, value))
    # The library knows an integer of 64 bits from a fraction, and dies of the least of them.
    return isinstance(value, int) and (abs(value) >= 2**63 or int(float(value)) != value)


def _modern(node: dict[str, Any]) -> dict[str, Any]:
    """Draft 4 has flags that make a bound exclusive, which the canonical form leaves."""
    bounds = dict(node)
    for word, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        flag = bounds.get(exclusive)
        if isinstance(flag, bool):
            del bounds[exclusive]
            if flag and word in bounds:
                bounds[exclusive] = bounds.pop(word)
    return bounds


def _step(node: dict[str, Any]) -> Decimal:
    """What all values are a multiple of; where the schema does not say, a bit finer than it is."""
    if "multipleOf" in node:
        step = _decimal(node["multipleOf"])
        if node["type"] == "integer":
            step = Decimal(step.as_integer_ratio()[0])
        if _decimals(step) > MOST_DECIMALS:
            raise Unsupported("multipleOf", f"has more than {MOST_DECIMALS} decimals")
        digits = int("".join(map(str, step.normalize().as_tuple().digits)))
        if digits > MOST_STATES:
            raise Unsupported("multipleOf", f"asks for more than {MOST_STATES} remainders")
        return step
    if node["type"] == "integer":
        return Decimal(1)
    finest = max((_decimals(_decimal(node[word])) for word in BOUNDS & set(node)), default=0)
    if finest >= MOST_DECIMALS:
        word = min(BOUNDS & set(node), key=lambda word: -_decimals(_decimal(node[word])))
        raise Unsupported(word, f"has more than {MOST_DECIMALS - 1} decimals")
    return Decimal(1).scaleb(-max(DECIMALS, finest + 1))


def _bound(
    node: dict[str, Any], word: str, exclusive: str, sign: int
) -> tuple[Decimal | None, bool]:
    """The tighter of two bounds, and whether it is itself ruled out; `sign` 1 for the lower."""
    held = [
        (sign * _decimal(node[one]), one == exclusive) for one in (word, exclusive) if one in node
    ]
    if not held:
        return None, False
    value, ruled_out = max(held)
    return sign * value, ruled_out


def _decimal(value: float) -> Decimal:
    return Decimal(repr(value))


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)


def _plain(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)
