"""Arrays whose items differ (uniqueItems)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xinghe.generation.structure.canonical import target
from xinghe.generation.structure.errors import Impossible, Unsupported
from xinghe.generation.structure.lark import COMMA, literal

if TYPE_CHECKING:
    from xinghe.generation.structure.compile import Compiler

MOST = 63
"""A rule's parameter has 64 bits, one for each kind of item that was used."""
_DIGITS = [rf"/-?([1-9][0-9]{{0,11}})?{digit}/" for digit in range(1, 10)] + [
    r"/-?[1-9][0-9]{0,11}0/",
    '"0"',
]
_LETTERS = [f"[{letter}{letter.upper()}]" for letter in "abcdefghijklmnopqrstuvwxyz"]
_HAN = [rf"[\u{{{0x4E00 + 700 * i:x}}}-\u{{{0x4E00 + 700 * i + 699:x}}}]" for i in range(30)]
_FIRST = [*_LETTERS, *_HAN, "[0-4]", "[5-9]"]


def distinct_array(
    compiler: Compiler, node: dict[str, Any], items: Any, low: int, high: int
) -> str:
    """The rule of an array whose items are drawn from kinds that share no value, each once.

    Constants are their own kinds. Free integers differ in their last digit, free strings in
    their first letter or in the length of their first word's range: narrower than the schema,
    but the only promise a grammar can keep.
    """
    if set(node) & {"contains", "prefixItems"}:
        raise Unsupported("uniqueItems")
    kinds = _kinds(compiler, items)[:MOST]
    high = min(high, len(kinds))
    if low > high:
        raise Impossible("uniqueItems", f"leaves {len(kinds)} different items, minItems is {low}")
    span = f"[0:{len(kinds)}]"
    more = " | ".join(
        f"{COMMA} {kind} {{name}}::set_bit({bit}) "
        f"%if and(bit_clear({bit}), bit_count_lt({span}, {high}))"
        for bit, kind in enumerate(kinds)
    )
    rest = compiler.lark.rule(f'"" %if bit_count_ge({span}, {low}) | {more}', "::_")
    first = " | ".join(f"{kind} {rest}::{1 << bit}" for bit, kind in enumerate(kinds))
    inner = compiler.lark.rule(first)
    return compiler.lark.rule(f'"[" {inner} "]"' if low else f'"[" {inner}? "]"')


def _kinds(compiler: Compiler, items: Any) -> list[str]:
    """Expressions that admit items, no two of them the same one."""
    if isinstance(items, dict) and "$ref" in items:
        items = target(items["$ref"], compiler.document)
    if not isinstance(items, dict):
        raise Unsupported("uniqueItems")
    if "enum" in items or "const" in items:
        return [literal(value) for value in items.get("enum", [items.get("const")])]
    if items == {"type": "boolean"}:
        return ['"true"', '"false"']
    if items.get("type") == "integer":
        return _integers(items)
    if items.get("type") == "string" and set(items) <= {"type", "minLength", "maxLength"}:
        low = max(int(items.get("minLength", 1)), 1)
        high = min(int(items.get("maxLength", 40)), max(40, 2 * low))
        return [f'/"{first}[^"\\\\\\x00-\\x1f\\x7f]{{{low - 1},{high - 1}}}"/' for first in _FIRST]
    raise Unsupported("uniqueItems")


def _integers(items: dict[str, Any]) -> list[str]:
    low, high = items.get("minimum"), items.get("maximum")
    step = items.get("multipleOf", 1)
    if set(items) == {"type"}:
        return _DIGITS
    if set(items) - {"type", "minimum", "maximum", "multipleOf"} or step != int(step):
        raise Unsupported("uniqueItems")
    if low is None and high is None:
        low = 0
    start = low if low is not None else high - step * (MOST - 1)
    stop = high if high is not None else start + step * (MOST - 1)
    return [f'"{value}"' for value in range(int(start), int(stop) + 1, int(step))][:MOST]
