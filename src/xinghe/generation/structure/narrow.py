"""From a canonical schema to one that the library keeps to, narrower than what was sent.

Properties come in the author's order, unbounded parts are bounded, recursion ends. What the
library cannot say (`uniqueItems`, `not`, names that must differ) is left out, and then the
answer's end is what proves it: `exact` tells.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from typing import Any

from xinghe.generation.structure.arrays import containing, few_listed, sets
from xinghe.generation.structure.canonical import apart, followed, merged, target, undefined
from xinghe.generation.structure.numbers import fraction, number, rounded
from xinghe.generation.structure.objects import OTHERS, declared, demanded, free, named
from xinghe.generation.structure.patterns import written
from xinghe.generation.structure.refusals import Impossible, Unsupported
from xinghe.generation.structure.sizes import FEWEST, KEY, estimate, item_bound
from xinghe.generation.structure.strings import text

TYPES = ("null", "boolean", "number", "string", "array", "object")
PARTS = 3_000
"""Parts that a grammar may be made of, once recursion is written out."""
COSTLY = 20
"""What a merge counts for among them, by the time that it takes."""
ANY_DEPTH = 3
"""Levels of arrays and objects where the schema allows any value."""
UNBOUNDED = 10**9
ARRAY = frozenset(
    {
        "type", "items", "additionalItems", "prefixItems", "minItems", "maxItems", "uniqueItems",
        "contains", "minContains", "maxContains",
    }
)  # fmt: skip
OBJECT = frozenset(
    {
        "type", "properties", "required", "additionalProperties", "patternProperties",
        "propertyNames", "minProperties", "maxProperties",
    }
)  # fmt: skip


class TooLarge(Exception):
    """The schema has too many parts at this depth of recursion."""


class Narrower:
    """Narrows the parts of one canonical `document`.

    `order` ranks property names as the author wrote them, `recursion` is how often a reference
    may stand within itself.
    """

    def __init__(self, document: Any, order: dict[str, int], recursion: int) -> None:
        self.exact = True
        self._document = document
        self._order = order
        self._recursion = recursion
        self._stack: list[str] = []
        self._parts = 0
        self._any = ANY_DEPTH
        self._made: dict[tuple[object, ...], Any] = {}
        self._defined: dict[str, Any] = {}
        self._applied: dict[str, Callable[[dict[str, Any], float], Any]] = {
            "$ref": self._reference,
            "allOf": self._whole,
            "oneOf": self._exclusive,
            "anyOf": self._choice,
            "enum": self._constants,
            "const": self._constants,
        }
        self._typed: dict[str, Callable[[dict[str, Any], float], Any]] = {
            "string": self._string,
            "integer": lambda node, _tokens: number(node),
            "number": lambda node, _tokens: number(node),
            "array": self._array,
            "object": self._object,
        }

    def schema(self, tokens: float) -> Any:
        """The whole, for an answer of so many tokens.

        Raises `Impossible`, `Unsupported` and `TooLarge`.
        """
        whole = self._part(self._document, tokens)
        return {**whole, "$defs": self._defined} if self._defined else whole

    def _part(self, node: Any, tokens: float) -> Any:
        """A part; `tokens` are taken in steps of half an octave, so that equal parts are one."""
        tokens = 2 ** (round(2 * math.log2(max(tokens, 1))) / 2)
        key = (json.dumps(node, sort_keys=True), tokens, self._any, *self._stack)
        if key not in self._made:
            made = self._narrowed(node, tokens)
            if made.get("type") in ("object", "array") or "anyOf" in made:
                name = f"d{len(self._defined)}"
                self._defined[name] = made
                made = {"$ref": f"#/$defs/{name}"}
            self._made[key] = made
        return self._made[key]

    def _narrowed(self, node: Any, tokens: float) -> Any:
        self._parts += 1
        if self._parts > PARTS:
            raise TooLarge
        node = undefined(node)
        if node is False or node == {"not": {}}:
            raise Impossible("schema", "admits nothing")
        if node is True or not node:
            return self._anything(tokens)
        for word, applied in self._applied.items():
            if word in node and not (word == "allOf" and "type" in node):
                return applied(node, tokens)
        kind = node.get("type")
        if isinstance(kind, list):
            rest = {word: value for word, value in node.items() if word != "type"}
            return self._choice({"anyOf": [rest | {"type": one} for one in kind]}, tokens)
        if "not" in node and kind not in (None, "string"):
            self.exact = False
            node = {word: value for word, value in node.items() if word != "not"}
        if kind in self._typed:
            return self._typed[kind](node, tokens)
        _only(node, frozenset({"type"}))
        return node

    def _string(self, node: dict[str, Any], tokens: float) -> dict[str, Any]:
        schema, exact = text(node, tokens)
        self.exact &= exact
        return schema

    def _constants(self, node: dict[str, Any], _tokens: float) -> dict[str, Any]:
        _only(node, frozenset({"enum", "const"}))
        values = node.get("enum", [node.get("const")])
        told = [value for value in values if not rounded(value)]
        if len(told) == len(values):
            return {"enum": values}
        # The library counts in floating point: it would write another number.
        self.exact = False
        return {"anyOf": [{"enum": told}] * bool(told) + [{"type": "number"}]}

    def _choice(self, node: dict[str, Any], tokens: float) -> dict[str, Any]:
        _only(node, frozenset({"anyOf"}))
        whole = [one for one in node["anyOf"] if not fraction(one)]
        if any(_kind(one) in ("integer", "number") for one in whole):
            # Beside a number, a text that no grammar can hold to says the same (Decimal).
            whole = [one for one in whole if _kind(one) != "string" or text(one, tokens)[1]]
        return self._any_of([partial(self._part, one, tokens) for one in whole or node["anyOf"]])

    def _any_of(self, branches: list[Callable[[], Any]]) -> dict[str, Any]:
        made, missing = [], None
        for branch in branches:
            try:
                made.append(branch())
            except Impossible as error:
                missing = error
        if missing is not None and not made:
            raise missing
        return made[0] if len(made) == 1 else {"anyOf": made}

    def _reference(self, node: dict[str, Any], tokens: float) -> Any:
        _only(node, frozenset({"$ref"}))
        reference = node["$ref"]
        return self._within([reference], target(reference, self._document), tokens)

    def _within(self, references: list[str], node: Any, tokens: float) -> Any:
        """What `references` lead to, written out once more."""
        for reference in references:
            if self._stack.count(reference) > self._recursion:
                raise Impossible("$ref", "never ends")
        deeper = tokens * 0.6 if set(references) & set(self._stack) else tokens
        self._stack += references
        try:
            return self._part(node, deeper)
        finally:
            del self._stack[len(self._stack) - len(references) :]

    def _whole(self, node: dict[str, Any], tokens: float) -> Any:
        """Parts that all hold, which the canonical form leaves apart as some are references."""
        self._parts += COSTLY
        rest = {word: value for word, value in node.items() if word != "allOf"}
        parts = [part for part in (rest, *node["allOf"]) if part]
        whole = merged([followed(part, self._document) for part in parts], self._document)
        if isinstance(whole, dict) and "allOf" in whole and "type" not in whole:
            raise Unsupported("allOf")
        return self._within(_references(parts), whole, tokens)

    def _exclusive(self, node: dict[str, Any], tokens: float) -> dict[str, Any]:
        """Branches of which one alone may fit, each narrowed until it is no other."""
        rest = {word: value for word, value in node.items() if word != "oneOf"}
        branches = node["oneOf"]
        self._parts += COSTLY * len(branches)

        def narrowed(at: int) -> Any:
            branch = branches[at]
            for other in branches[:at] + branches[at + 1 :]:
                told = apart(branch, other, self._document)
                self.exact &= told is not None
                branch = branch if told is None else told
            whole = merged([rest, branch], self._document) if rest else branch
            return self._within(_references([branches[at]]), whole, tokens)

        return self._any_of([partial(narrowed, at) for at in range(len(branches))])

    def _anything(self, tokens: float) -> Any:
        if self._any == 0:
            return self._part({"type": list(TYPES[:4])}, tokens)
        self._any -= 1
        try:
            return self._part({"type": list(TYPES)}, tokens / 2)
        finally:
            self._any += 1

    def _array(self, node: dict[str, Any], tokens: float) -> dict[str, Any]:
        _only(node, ARRAY)
        prefix, items = node.get("prefixItems", []), node.get("items", True)
        if isinstance(items, list):  # drafts 4 to 7
            prefix, items = items, node.get("additionalItems", True)
        low = int(node.get("minItems", 0))
        if "contains" in node:
            prefix, items = containing(node, prefix, items, self._document)
            low = max(low, len(prefix))
        listed = few_listed(followed(items, self._document))
        if node.get("uniqueItems") and listed and not prefix:
            return sets(listed, low, int(node.get("maxItems", len(listed))))
        item = estimate(items)
        most = max(len(prefix) + item_bound(tokens, item), 2 * low)
        high = min(int(node.get("maxItems", UNBOUNDED)), most)
        self.exact &= not node.get("uniqueItems") or high < 2
        count = max(len(prefix), min(high, int(max(tokens, 1) // (item + 1)) or 1), 1)
        share = max(tokens / count**0.5, item)
        first: list[Any] = []
        for one in [*prefix[:high], items]:
            try:
                first.append(self._part(one, share))
            except Impossible:
                high = len(first)
                if high < low:
                    raise
                break
        made: dict[str, Any] = {"type": "array", "minItems": low, "maxItems": high}
        if high > len(prefix):
            made["items"] = first.pop()
        return {"items": False, "prefixItems": first[:high]} | made

    def _object(self, node: dict[str, Any], tokens: float) -> dict[str, Any]:
        _only(node, OBJECT)
        node = named(node, self._document)
        names = declared(node, self._document)
        required = set(node.get("required", ()))
        low = int(node.get("minProperties", 0))
        high = int(node.get("maxProperties", UNBOUNDED))
        wants = {name: estimate(schema) for name, schema in names.items()}
        spare = tokens - sum(KEY + len(name) // 2 for name in names)
        scale = max(spare / (sum(wants.values()) or 1), 1.0)
        properties: dict[str, Any] = {}
        for name in sorted(names, key=lambda name: self._order.get(name, UNBOUNDED)):
            try:
                properties[name] = self._part(names[name], wants[name] * scale)
            except Impossible:
                if name in required:
                    raise
        kept = demanded(list(properties), required, low, high)
        least = sum(kept.values())
        lacking, room = low - least, high - len(kept)
        made = {
            "type": "object",
            "properties": {one: one in kept and properties[one] for one in [*kept, *names]},
            "required": [name for name in kept if kept[name]],
            "additionalProperties": False,
        }
        others = self._free(node, list(names), lacking, tokens) if room > 0 else {}
        if not others and lacking > 0:
            raise Impossible("minProperties", f"is {low}, more than there are properties")
        if least == len(kept) and others:
            most = min(room, max(item_bound(tokens, KEY), lacking + FEWEST))
            others |= {"minProperties": max(low, least), "maxProperties": least + most}
        elif high < UNBOUNDED:
            return made  # beside optional ones, the library does not count
        return made | others

    def _free(
        self, node: dict[str, Any], names: list[str], lacking: int, tokens: float
    ) -> dict[str, Any]:
        """The keywords that admit free properties, if the schema does."""
        found, exact = free(node, names, lacking, self._document)
        # The library lets a name come again, which does not count.
        self.exact &= exact and lacking < 2
        made: dict[str, Any] = {}
        for pattern, value in found.items():
            count = item_bound(tokens, KEY + estimate(value))
            share = max(tokens / count**0.5 - KEY, estimate(value))
            try:
                told = self._part(value, share)
            except Impossible:
                continue
            if pattern == OTHERS:
                made["additionalProperties"] = told
                continue
            name = written(pattern)
            self.exact &= name.exact and not name.barred and len(name.expressions) == 1
            made.setdefault("patternProperties", {})[name.expressions[0]] = told
        return made


def _only(node: dict[str, Any], known: frozenset[str]) -> None:
    if extra := set(node) - known:
        raise Unsupported(min(extra))


def _kind(node: Any) -> Any:
    return node.get("type") if isinstance(node, dict) else None


def _references(parts: list[Any]) -> list[str]:
    return [part["$ref"] for part in parts if isinstance(part, dict) and "$ref" in part]
