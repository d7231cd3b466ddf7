"""From a canonical schema to a grammar that admits only values of it.

The grammar is narrower than the schema, never wider: properties come in the schema's order,
unbounded parts are bounded, recursion ends. Structure is written as Lark rules here; scalars go
through llguidance's JSON compiler.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from xinghe.generation.structure.canonical import merged, target
from xinghe.generation.structure.distinct import distinct_array
from xinghe.generation.structure.errors import Impossible, Unsupported
from xinghe.generation.structure.lark import COMMA, Lark, literal, repeated
from xinghe.generation.structure.objects import object_rule
from xinghe.generation.structure.scalars import constant, number, other_string, string
from xinghe.generation.structure.size import comfort, item_bound

TYPES = ("null", "boolean", "number", "string", "array", "object")
ARRAY = frozenset(
    {
        "type",
        "items",
        "prefixItems",
        "minItems",
        "maxItems",
        "uniqueItems",
        "contains",
        "minContains",
    }
)
PARTS = 3_000
"""Parts that a grammar may be made of, once recursion is written out."""
ANY_DEPTH = 3
"""Levels of arrays and objects where the schema allows any value."""


class TooLarge(Exception):
    """The grammar has too many parts at this depth of recursion."""


class Compiler:
    """Turns the parts of one canonical `document` into rules.

    `order` ranks property names as the author wrote them, `recursion` is how often a reference
    may stand within itself.
    """

    def __init__(self, document: Any, order: dict[str, int], recursion: int) -> None:
        self.document = document
        self.order = order
        self.lark = Lark()
        self._recursion = recursion
        self._stack: list[str] = []
        self._parts = 0
        self._any = ANY_DEPTH
        self._made: dict[tuple[object, ...], str] = {}

    def emit(self, node: Any, tokens: float) -> str:
        """A Lark expression for `node`; raises `Impossible`, `Unsupported` or `TooLarge`.

        `tokens` are taken in steps of half an octave, so that equal parts become one rule.
        """
        tokens = 2 ** (round(2 * math.log2(max(tokens, 1))) / 2)
        key = (json.dumps(node, sort_keys=True), tokens, self._any, *self._stack)
        if key not in self._made:
            self._made[key] = self._emit(node, tokens)
        return self._made[key]

    def _emit(self, node: Any, tokens: float) -> str:
        self._parts += 1
        if self._parts > PARTS:
            raise TooLarge
        if isinstance(node, dict):
            node = {
                word: value
                for word, value in node.items()
                if word not in ("$schema", "$defs", "definitions")
            }
        if node is False or node == {"not": {}}:
            raise Impossible("schema", "admits nothing")
        if node is True or not node:
            return self._anything(tokens)
        leaf = self._scalar(node, tokens)
        if leaf is not None:
            return self.lark.leaf(leaf)
        if "$ref" in node:
            return self._reference(node, tokens)
        if "anyOf" in node:
            return self._choice(node, tokens)
        if "enum" in node or "const" in node:
            return self._constants(node)
        return self._typed(node, tokens)

    def _typed(self, node: dict[str, Any], tokens: float) -> str:
        kind = node.get("type")
        if isinstance(kind, list):
            rest = {word: value for word, value in node.items() if word != "type"}
            return self._choice({"anyOf": [rest | {"type": one} for one in kind]}, tokens)
        if kind == "string" and "not" in node:
            return self.lark.terminal(other_string(node, tokens))
        if kind == "number" and node == {"type": "number", "not": {"multipleOf": 1}}:
            return self.lark.terminal(r"/-?(0|[1-9][0-9]{0,11})\.[0-9]{0,5}[1-9]/")
        if kind == "array":
            return self._array(node, tokens)
        if kind == "object":
            return object_rule(self, node, tokens)
        unknown = [word for word in node if word != "type"]
        raise Unsupported(unknown[0] if unknown else "type")

    def _scalar(self, node: dict[str, Any], tokens: float) -> dict[str, Any] | None:
        """The leaf of a scalar, `None` for everything else."""
        if "enum" in node or "const" in node:
            values = node.get("enum", [node.get("const")])
            kept = set(node) <= {"enum"} or set(node) <= {"const"}
            return {"enum": values} if kept and all(map(constant, values)) else None
        kind = node.get("type")
        if kind == "string" and "not" not in node:
            return string(node, tokens)
        if kind in ("integer", "number") and "not" not in node:
            return number(node)
        if kind in ("null", "boolean") and len(node) == 1:
            return {"type": kind}
        return None

    def _choice(self, node: dict[str, Any], tokens: float) -> str:
        if set(node) != {"anyOf"}:
            raise Unsupported(min(set(node) - {"anyOf"}))
        leaves, rules = [], []
        missing: Impossible | None = None
        for branch in node["anyOf"]:
            try:
                leaf = self._scalar(branch, tokens) if isinstance(branch, dict) else None
                if leaf is not None:
                    leaves.append(leaf)
                elif _fraction(branch) and len(branch) > 2:
                    raise Impossible("not", "leaves only fractions within bounds")
                else:
                    rules.append(self.emit(branch, tokens))
            except Impossible as error:
                missing = error
        if leaves:
            rules.append(self.lark.leaf(leaves[0] if len(leaves) == 1 else {"anyOf": leaves}))
        if not rules:
            assert missing is not None
            raise missing
        return self.lark.rule(" | ".join(rules)) if len(rules) > 1 else rules[0]

    def _constants(self, node: dict[str, Any]) -> str:
        if extra := set(node) - {"enum", "const"}:
            raise Unsupported(min(extra))
        values = node.get("enum", [node.get("const")])
        return self.lark.rule(" | ".join(literal(value) for value in values))

    def _reference(self, node: dict[str, Any], tokens: float) -> str:
        if extra := set(node) - {"$ref"}:
            raise Unsupported(min(extra))
        reference = node["$ref"]
        if self._stack.count(reference) > self._recursion:
            raise Impossible("$ref", "never ends")
        self._stack.append(reference)
        try:
            deeper = tokens if self._stack.count(reference) == 1 else tokens * 0.6
            return self.emit(target(reference, self.document), deeper)
        finally:
            self._stack.pop()

    def _anything(self, tokens: float) -> str:
        if self._any == 0:
            return self.emit({"type": ["null", "boolean", "number", "string"]}, tokens)
        self._any -= 1
        try:
            return self.emit({"type": list(TYPES)}, tokens / 2)
        finally:
            self._any += 1

    def _array(self, node: dict[str, Any], tokens: float) -> str:
        if extra := set(node) - ARRAY:
            raise Unsupported(min(extra))
        prefix, items = node.get("prefixItems", []), node.get("items", True)
        if isinstance(items, list):  # drafts 4 to 7
            prefix, items = items, True
        low = int(node.get("minItems", 0))
        if "contains" in node:
            demanded = int(node.get("minContains", 1))
            if prefix:
                raise Unsupported("contains")
            prefix = [merged([items, node["contains"]], self.document)] * demanded
            low = max(low, demanded)
        item = comfort(items)
        high = min(
            int(node.get("maxItems", 10**9)),
            max(len(prefix) + item_bound(tokens, item), 2 * low),
        )
        if node.get("uniqueItems") and high > 1:
            if prefix:
                raise Unsupported("uniqueItems")
            return distinct_array(self, node, items, low, high)
        count = max(len(prefix), min(high, int(max(tokens, 1) // (item + 1)) or 1), 1)
        share = max(tokens / count**0.5, item)
        return self._sequence(prefix, items, low, high, share)

    def _sequence(self, prefix: list[Any], items: Any, low: int, high: int, share: float) -> str:
        """An array of the fixed `prefix`, then `items`; `low` to `high` in all."""
        parts: list[str] = []
        for position, node in enumerate(prefix[:high]):
            try:
                parts.append(self.emit(node, share))
            except Impossible:
                if position < low:
                    raise
                high = position
        more = ""
        if high > len(prefix):
            try:
                more = self.emit(items, share)
            except Impossible:
                if low > len(prefix):
                    raise
                high = len(prefix)
        return self.lark.rule(_bracketed(parts[:high], more, low, high))


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


def _fraction(node: Any) -> bool:
    """Whether a schema means the numbers that are not integers."""
    return isinstance(node, dict) and node.get("not") == {"multipleOf": 1}
