"""Arrays: items by position, items of one kind, items that must be among them or must differ.

Items that must differ (uniqueItems) are drawn from parts of their schema that share no value. The
parts are narrower than the schema: free integers differ in their last digit, texts in their first
or last character, objects in one of their properties. It is the only promise that a grammar can
keep about values that it does not compare.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from xinghe.generation.structure.canonical import followed, merged
from xinghe.generation.structure.lark import COMMA, Written, estimate, item_bound, literal, repeated
from xinghe.generation.structure.refusals import Impossible, Unsupported
from xinghe.generation.structure.strings import FIRST, LAST, text, text_parts

if TYPE_CHECKING:
    from xinghe.generation.structure.compile import Compiler

ARRAY = frozenset(
    {
        "type", "items", "additionalItems", "prefixItems", "minItems", "maxItems", "uniqueItems",
        "contains", "minContains", "maxContains",
    }
)  # fmt: skip
PARTS = 63
"""Parts of a schema: a rule's parameter has 64 bits, one for each."""
TEXT = 40
"""Tokens of a text."""
MOST_NESTED = 16
"""Parts of an object or array: each repeats the whole of it in the grammar."""
DEEPEST = 3
"""Levels of objects and arrays that parts are looked for in."""
_DIGITS = [rf"/-?([1-9][0-9]{{0,11}})?{digit}/" for digit in range(1, 10)] + [
    r"/-?[1-9][0-9]{0,11}0/",
    '"0"',
]
_DECIMALS = [rf"/-?(0|[1-9][0-9]{{0,11}})\.[0-9]{{0,3}}{digit}/" for digit in range(1, 10)]


def array_rule(compiler: Compiler, node: dict[str, Any], tokens: float) -> str:
    """The rule of a canonical array schema."""
    if extra := set(node) - ARRAY:
        raise Unsupported(min(extra))
    prefix, items = node.get("prefixItems", []), node.get("items", True)
    if isinstance(items, list):  # drafts 4 to 7
        prefix, items = items, node.get("additionalItems", True)
    low = int(node.get("minItems", 0))
    if "contains" in node:
        prefix, items = _containing(compiler, node, prefix, items)
        low = max(low, len(prefix))
    item = estimate(items)
    high = min(
        int(node.get("maxItems", 10**9)),
        max(len(prefix) + item_bound(tokens, item), 2 * low),
    )
    count = max(len(prefix), min(high, int(max(tokens, 1) // (item + 1)) or 1), 1)
    share = max(tokens / count**0.5, item)
    if node.get("uniqueItems") and high > 1:
        if prefix:
            raise Unsupported("uniqueItems")
        return _distinct(compiler, node, items, low, high, share)
    return _sequence(compiler, prefix, items, low, high, share)


def _containing(
    compiler: Compiler, node: dict[str, Any], prefix: list[Any], items: Any
) -> tuple[list[Any], Any]:
    """The prefix with the contained items behind it, and what may follow them.

    Narrower than the schema, where the contained ones may stand anywhere.
    """
    contained = node["contains"]
    demanded = int(node.get("minContains", 1))
    behind = [merged([items, contained], compiler.document)] * demanded
    if "maxContains" in node:
        other = {"not": contained}
        prefix = [merged([one, other], compiler.document) for one in prefix]
        items = merged([items, other], compiler.document)
    return [*prefix, *behind], items


def _sequence(
    compiler: Compiler, prefix: list[Any], items: Any, low: int, high: int, share: float
) -> str:
    """An array of the fixed `prefix`, then `items`; `low` to `high` in all."""
    parts: list[str] = []
    for position, node in enumerate(prefix[:high]):
        try:
            parts.append(compiler.emit(node, share))
        except Impossible:
            if position < low:
                raise
            high = position
    more = ""
    if high > len(prefix):
        try:
            more = compiler.emit(items, share)
        except Impossible:
            if low > len(prefix):
                raise
            high = len(prefix)
    return compiler.lark.rule(_bracketed(parts[:high], more, low, high))


def _bracketed(parts: Sequence[str], more: str, low: int, high: int) -> str:
    """The body of an array rule: `parts` in order, then `more`, `low` to `high` in all."""
    rest_low, rest_high = max(0, low - len(parts)), high - len(parts)
    if not parts:
        if not more or high == 0:
            return '"[]"'
        inner = f"{more} {repeated(f'{COMMA} {more}', max(0, low - 1), high - 1)}"
        return f'"[" {inner} "]"' if low else f'"[" ({inner})? "]"'
    tail = repeated(f"{COMMA} {more}", rest_low, rest_high) if more and rest_high > 0 else ""
    for position in range(len(parts) - 1, -1, -1):
        part = f"{COMMA} {parts[position]}" if position else parts[position]
        tail = f"{part} {tail}" if position < low else f"({part} {tail})?"
    return f'"[" {tail} "]"'


def _distinct(
    compiler: Compiler, node: dict[str, Any], items: Any, low: int, high: int, tokens: float
) -> str:
    """The rule of an array whose items are drawn from parts of `items` that share no value.

    Each part is used once; an item has `tokens` to itself.
    """
    if set(node) & {"contains", "prefixItems"}:
        raise Unsupported("uniqueItems")
    kinds = []
    for part in _parts(compiler, items):
        try:
            kinds.append(compiler.emit(part, tokens))
        except Impossible:
            continue
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


def _parts(compiler: Compiler, node: Any, depth: int = 0) -> list[Any]:
    """Schemas, or rules as `Written`, narrower than `node`, no two of which share a value."""
    if depth > DEEPEST:
        return [node]
    if node is True or node == {}:
        node = {"type": ["null", "boolean", "number", "string"]}
    node = followed(node, compiler.document)
    if not isinstance(node, dict):
        return [node]
    if "anyOf" in node and len(node) == 1:
        return _branches(compiler, node["anyOf"], depth)
    kind = node.get("type")
    if isinstance(kind, list):
        rest = {word: value for word, value in node.items() if word != "type"}
        return _branches(compiler, [rest | {"type": one} for one in kind], depth)
    if "enum" in node and len(node) == 1:
        return [Written(compiler.lark.rule(literal(value))) for value in node["enum"]][:PARTS]
    found = _OF_KIND[kind](compiler, node, depth) if kind in _OF_KIND else []
    return found[:PARTS] if len(found) > 1 else [node]


def _branches(compiler: Compiler, branches: list[Any], depth: int) -> list[Any]:
    """The parts of branches, of those that share no value with an earlier one."""
    kept: list[Any] = []
    found: list[Any] = []
    for branch in branches:
        if all(merged([branch, other], compiler.document) is False for other in kept):
            kept.append(branch)
            found += _parts(compiler, branch, depth)
    return found[:PARTS]


def _texts(compiler: Compiler, node: dict[str, Any], _depth: int) -> list[Any]:
    wanted = text(node, TEXT)
    found = text_parts(wanted, FIRST)
    if wanted.patterns:
        found = max(found, text_parts(wanted, LAST), key=len)
    return [Written(part.rule(compiler.lark)) for part in found]


def _integers(_compiler: Compiler, node: dict[str, Any], _depth: int) -> list[Any]:
    low, high = node.get("minimum"), node.get("maximum")
    step = node.get("multipleOf", 1)
    if set(node) == {"type"}:
        return [Written(digit) for digit in _DIGITS]
    if set(node) - {"type", "minimum", "maximum", "multipleOf"} or step != int(step):
        return []
    if low is None and high is None:
        low = 0
    start = low if low is not None else high - step * (PARTS - 1)
    stop = high if high is not None else start + step * (PARTS - 1)
    start = math.ceil(start / step) * step
    values = range(int(start), math.floor(stop) + 1, int(step))[:PARTS]
    return [Written(f'"{value}"') for value in values]


def _numbers(_compiler: Compiler, node: dict[str, Any], _depth: int) -> list[Any]:
    """Free numbers by their last digit; between two bounds, steps of a tenth of their distance."""
    if set(node) == {"type"}:
        return [Written(rule) for rule in (*_DIGITS, *_DECIMALS)]
    if set(node) != {"type", "minimum", "maximum"}:
        return []
    low, high = Decimal(str(node["minimum"])), Decimal(str(node["maximum"]))
    if high <= low:
        return []
    step = Decimal(1).scaleb((high - low).adjusted() - 1)
    first = math.ceil(low / step)
    values = [step * (first + i) for i in range(PARTS)]
    return [Written(f'"{value.normalize():f}"') for value in values if value <= high]


def _objects(compiler: Compiler, node: dict[str, Any], depth: int) -> list[Any]:
    """By the property that has the most parts, which is demanded."""
    required = list(node.get("required", ()))
    properties: dict[str, Any] = node.get("properties", {})
    best: list[Any] = []
    telling = ""
    for name in required or properties:
        found = _parts(compiler, properties[name], depth + 1) if name in properties else []
        if len(found) > len(best):
            best, telling = found, name
    if len(best) < 2:
        return []
    if telling not in required:
        required.append(telling)
    return [
        node | {"required": required, "properties": properties | {telling: part}}
        for part in best[:MOST_NESTED]
    ]


def _arrays(compiler: Compiler, node: dict[str, Any], depth: int) -> list[Any]:
    """By the first item, which is demanded."""
    prefix = list(node.get("prefixItems", ()))
    if {"contains", "uniqueItems"} & set(node) or node.get("maxItems", 1) < 1:
        return []
    found = _parts(compiler, prefix[0] if prefix else node.get("items", True), depth + 1)
    low = max(node.get("minItems", 0), 1)
    return [
        node | {"prefixItems": [part, *prefix[1:]], "minItems": low} for part in found[:MOST_NESTED]
    ]


def _flags(_compiler: Compiler, node: dict[str, Any], _depth: int) -> list[Any]:
    return [Written('"true"'), Written('"false"')] if len(node) == 1 else []


_OF_KIND: dict[str, Callable[[Compiler, dict[str, Any], int], list[Any]]] = {
    "boolean": _flags,
    "integer": _integers,
    "number": _numbers,
    "string": _texts,
    "object": _objects,
    "array": _arrays,
}
