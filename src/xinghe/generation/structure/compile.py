"""From a canonical schema to a grammar that admits only values of it.

The grammar is narrower than the schema, never wider: properties come in the schema's order,
unbounded parts are bounded, recursion ends. Structure is written as Lark rules here; scalars go
through llguidance's JSON compiler.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from xinghe.generation.structure.arrays import array_rule
from xinghe.generation.structure.canonical import excluding, followed, merged, target, undefined
from xinghe.generation.structure.lark import Lark, Written, literal
from xinghe.generation.structure.numbers import constant, number
from xinghe.generation.structure.objects import object_rule
from xinghe.generation.structure.refusals import Impossible, Unsupported
from xinghe.generation.structure.strings import text

TYPES = ("null", "boolean", "number", "string", "array", "object")
PARTS = 3_000
"""Parts that a grammar may be made of, once recursion is written out."""
COSTLY = 20
"""What a merge counts for among them, by the time that it takes."""
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
        self._applied: dict[str, Callable[[dict[str, Any], float], str]] = {
            "$ref": self._reference,
            "allOf": self._whole,  # beside a type: the patterns of a string
            "oneOf": self._exclusive,
            "anyOf": self._choice,
            "enum": self._constants,
            "const": self._constants,
        }

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
        if isinstance(node, Written):
            return str(node)
        self._parts += 1
        if self._parts > PARTS:
            raise TooLarge
        node = undefined(node)
        if node is False or node == {"not": {}}:
            raise Impossible("schema", "admits nothing")
        if node is True or not node:
            return self._anything(tokens)
        leaf = self._scalar(node, tokens)
        if leaf is not None:
            return self.lark.leaf(leaf)
        for word, applied in self._applied.items():
            if word in node and not (word == "allOf" and "type" in node):
                return applied(node, tokens)
        return self._typed(node, tokens)

    def _typed(self, node: dict[str, Any], tokens: float) -> str:
        kind = node.get("type")
        if isinstance(kind, list):
            rest = {word: value for word, value in node.items() if word != "type"}
            return self._choice({"anyOf": [rest | {"type": one} for one in kind]}, tokens)
        if kind == "string":
            return self.lark.terminal(text(node, tokens).terminal())
        if kind == "number" and node == {"type": "number", "not": {"multipleOf": 1}}:
            return self.lark.terminal(r"/-?(0|[1-9][0-9]{0,11})\.[0-9]{0,5}[1-9]/")
        if kind == "array":
            return array_rule(self, node, tokens)
        if kind == "object":
            return object_rule(self, node, tokens)
        unknown = [word for word in node if word != "type"]
        raise Unsupported("not" if "not" in node else unknown[0] if unknown else "type")

    def _scalar(self, node: dict[str, Any], tokens: float) -> dict[str, Any] | None:
        """The leaf of a scalar, `None` for everything else."""
        if "enum" in node or "const" in node:
            values = node.get("enum", [node.get("const")])
            kept = set(node) <= {"enum"} or set(node) <= {"const"}
            return {"enum": values} if kept and all(map(constant, values)) else None
        kind = node.get("type")
        if kind == "string":
            return text(node, tokens).leaf()
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

    def _constants(self, node: dict[str, Any], _tokens: float) -> str:
        if extra := set(node) - {"enum", "const"}:
            raise Unsupported(min(extra))
        values = node.get("enum", [node.get("const")])
        return self.lark.rule(" | ".join(literal(value) for value in values))

    def _reference(self, node: dict[str, Any], tokens: float) -> str:
        if extra := set(node) - {"$ref"}:
            raise Unsupported(min(extra))
        reference = node["$ref"]
        return self._within([reference], target(reference, self.document), tokens)

    def _within(self, references: list[str], node: Any, tokens: float) -> str:
        """What `references` lead to, written out once more."""
        for reference in references:
            if self._stack.count(reference) > self._recursion:
                raise Impossible("$ref", "never ends")
        deeper = tokens * 0.6 if set(references) & set(self._stack) else tokens
        self._stack += references
        try:
            return self.emit(node, deeper)
        finally:
            del self._stack[len(self._stack) - len(references) :]

    def _whole(self, node: dict[str, Any], tokens: float) -> str:
        """Parts that all hold, which the canonical form leaves apart as some are references."""
        self._parts += COSTLY
        rest = {word: value for word, value in node.items() if word != "allOf"}
        parts = [part for part in (rest, *node["allOf"]) if part]
        whole = merged([followed(part, self.document) for part in parts], self.document)
        if isinstance(whole, dict) and "allOf" in whole and "type" not in whole:
            raise Unsupported("allOf")
        return self._within(_references(parts), whole, tokens)

    def _exclusive(self, node: dict[str, Any], tokens: float) -> str:
        rest = {word: value for word, value in node.items() if word != "oneOf"}
        branches, rules = node["oneOf"], []
        missing: Impossible | None = None
        for at, branch in enumerate(branches):
            others = branches[:at] + branches[at + 1 :]
            try:
                apart = excluding(branch, others, self.document)
                whole = merged([rest, apart], self.document) if rest else apart
                rules.append(self._within(_references([branch]), whole, tokens))
            except Impossible as error:
                missing = error
        if missing is not None and not rules:
            raise missing
        return self.lark.rule(" | ".join(rules))

    def _anything(self, tokens: float) -> str:
        if self._any == 0:
            return self.emit({"type": ["null", "boolean", "number", "string"]}, tokens)
        self._any -= 1
        try:
            return self.emit({"type": list(TYPES)}, tokens / 2)
        finally:
            self._any += 1


def _references(parts: Sequence[Any]) -> list[str]:
    return [part["$ref"] for part in parts if isinstance(part, dict) and "$ref" in part]


def _fraction(node: Any) -> bool:
    """Whether a schema means the numbers that are not integers."""
    return isinstance(node, dict) and node.get("not") == {"multipleOf": 1}
