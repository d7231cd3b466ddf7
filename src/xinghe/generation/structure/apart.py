"""Schemas in parts that share no value: items that must differ, names that must count.

The parts are narrower than the schema: free integers differ in their last digit, texts in their
first or last character, objects in one of their properties. It is the only promise that a grammar
can keep about values that it does not compare.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from xinghe.generation.structure.canonical import followed, merged
from xinghe.generation.structure.expression import parsed
from xinghe.generation.structure.lark import literal
from xinghe.generation.structure.strings import Text, text

if TYPE_CHECKING:
    from xinghe.generation.structure.compile import Compiler

MOST = 63
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
_LETTERS = [f"[{letter}{letter.upper()}]" for letter in "abcdefghijklmnopqrstuvwxyz"]
_HAN = [rf"[\u{0x4E00 + 1400 * i:x}-\u{0x4E00 + 1400 * i + 1399:x}]" for i in range(15)]
_CHARACTERS = [*_LETTERS, *"0123456789", *_HAN]
FIRST = tuple(f"^{one}" for one in _CHARACTERS)
LAST = tuple(f"{one}$" for one in _CHARACTERS)


class Written(str):
    """A rule that stands where a schema would."""

    __slots__ = ()


def parts(compiler: Compiler, node: Any, depth: int = 0) -> list[Any]:
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
        return [Written(compiler.lark.rule(literal(value))) for value in node["enum"]][:MOST]
    found = _OF_KIND[kind](compiler, node, depth) if kind in _OF_KIND else []
    return found[:MOST] if len(found) > 1 else [node]


@lru_cache(maxsize=256)
def text_parts(wanted: Text, marks: tuple[str, ...]) -> tuple[Text, ...]:
    """The texts in which each of `marks` (patterns) is found, where there are any.

    Kept, as it takes up to 100 ms and a schema asks for the same again.
    """
    parted = [_marked(wanted, mark) for mark in marks]
    return tuple(part for part in parted if part.low <= part.high and part.possible())


def _marked(wanted: Text, mark: str) -> Text:
    return replace(wanted, low=max(wanted.low, 1), patterns=(*wanted.patterns, parsed(mark)))


def _branches(compiler: Compiler, branches: list[Any], depth: int) -> list[Any]:
    """The parts of branches, of those that share no value with an earlier one."""
    kept: list[Any] = []
    found: list[Any] = []
    for branch in branches:
        if all(merged([branch, other], compiler.document) is False for other in kept):
            kept.append(branch)
            found += parts(compiler, branch, depth)
    return found[:MOST]


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
    start = low if low is not None else high - step * (MOST - 1)
    stop = high if high is not None else start + step * (MOST - 1)
    start = math.ceil(start / step) * step
    values = range(int(start), math.floor(stop) + 1, int(step))[:MOST]
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
    values = [step * (first + i) for i in range(MOST)]
    return [Written(f'"{value.normalize():f}"') for value in values if value <= high]


def _objects(compiler: Compiler, node: dict[str, Any], depth: int) -> list[Any]:
    """By the property that has the most parts, which is demanded."""
    required = list(node.get("required", ()))
    properties: dict[str, Any] = node.get("properties", {})
    best: list[Any] = []
    telling = ""
    for name in required or properties:
        found = parts(compiler, properties[name], depth + 1) if name in properties else []
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
    found = parts(compiler, prefix[0] if prefix else node.get("items", True), depth + 1)
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
