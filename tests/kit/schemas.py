"""Random JSON Schemas as people write them, 1–4 levels deep, and a few that they should not."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]

NAMES = (
    "name", "age", "title", "score", "tags", "items", "address", "email", "id", "price", "status",
    "notes", "city", "created_at", "is_active", "姓名", "年龄", "城市", "标签", "备注", "价格",
    "quantity", "type", "owner", "with space", 'quo"te', "a/b~c", "x-y",
)  # fmt: skip
WORDS = (
    "low",
    "medium",
    "high",
    "北京",
    "上海",
    "深圳",
    "red",
    "green",
    "blue",
    "是",
    "否",
    "N/A",
    'a"b',
)
PATTERNS = (
    r"^[A-Z]{3}-\d{4}$", r"^\d{11}$", r"^[a-z_]+$", r"^#[0-9a-fA-F]{6}$", r"^(foo|bar)\d*$",
    r"\d", r"^[\u4e00-\u9fff]{2,4}$", r"^v\d+\.\d+\.\d+$", r"^\S+$", r"^.{1,5}$",
)  # fmt: skip
FORMATS = (
    "date", "time", "date-time", "email", "uuid", "uri", "ipv4", "ipv6", "hostname", "duration",
)  # fmt: skip
NOTES = {
    "title": "T",
    "description": "说明 text",
    "$comment": "c",
    "examples": [1],
    "default": None,
}
ODD: tuple[Any, ...] = (
    {},
    True,
    {"type": "null"},
    {"not": {"type": "object"}},
    {"type": "integer", "not": {"const": 0}},
    {"type": "string", "not": {"enum": ["", "x"]}},
    {"type": ["boolean", "array"], "maxItems": 2},
    {"type": "string", "minLength": 1, "format": "email", "maxLength": 40},
)


class Drawer:
    """Draws schemas; the same seed draws the same ones."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._defs: dict[str, Any] = {}

    def schema(self) -> Schema:
        """A schema, mostly of an object, with its definitions."""
        self._defs = {}
        roots = [self._object] * 7 + [self._array, self._combined, self._recursive]
        drawn: Schema = self._rng.choice(roots)(self._rng.randint(1, 3))
        if self._defs:
            drawn = drawn | {"$defs": self._defs}
        if self._chance(0.2):
            drawn["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        return drawn

    def _chance(self, part: float) -> bool:
        return self._rng.random() < part

    def _value(self, depth: int) -> Any:
        simple: list[Callable[[int], Any]] = [
            self._string, self._string, self._integer, self._number, self._enum, self._flag,
            self._nullable, self._odd,
        ]  # fmt: skip
        nested: list[Callable[[int], Any]] = [
            self._object, self._array, self._combined, self._map, self._shared, self._distinct,
        ]  # fmt: skip
        drawn = self._rng.choice(simple + nested if depth > 0 else simple)(depth)
        if isinstance(drawn, dict) and "$ref" not in drawn and self._chance(0.25):
            drawn = drawn | dict(self._rng.sample(list(NOTES.items()), 2))
        return drawn

    def _object(self, depth: int) -> Schema:
        names = self._rng.sample(NAMES, self._rng.randint(1, 5))
        drawn: Schema = {
            "type": "object",
            "properties": {name: self._value(depth - 1) for name in names},
        }
        if self._chance(0.8):
            drawn["required"] = self._rng.sample(names, self._rng.randint(0, len(names)))
        if self._chance(0.5):
            drawn["additionalProperties"] = False
        elif self._chance(0.1):
            drawn["additionalProperties"] = self._integer(0)
        if self._chance(0.1):
            drawn["minProperties"] = self._rng.randint(0, len(names))
        if self._chance(0.1):
            drawn["maxProperties"] = self._rng.randint(
                max(1, len(drawn.get("required", ())), drawn.get("minProperties", 0)), 8
            )
        if self._chance(0.06) and len(names) > 1:
            drawn["dependentRequired"] = {names[0]: [names[1]]}
        return drawn

    def _map(self, depth: int) -> Schema:
        drawn: Schema = {"type": "object"}
        if self._chance(0.3):
            drawn["patternProperties"] = {
                r"^[a-z]{2,8}$": self._value(depth - 1),
                r"^\d{4}$": self._value(0),
            }
            drawn["additionalProperties"] = False
        else:
            drawn["additionalProperties"] = self._value(depth - 1)
        if self._chance(0.3):
            drawn["minProperties"] = self._rng.randint(1, 3)
            drawn["maxProperties"] = self._rng.randint(3, 6)
        if self._chance(0.15) and "patternProperties" not in drawn:
            drawn["propertyNames"] = {"pattern": "^[a-z]+$"}
            drawn.pop("minProperties", None)
        return drawn

    def _array(self, depth: int) -> Schema:
        if self._chance(0.2):
            prefix = [self._value(depth - 1) for _ in range(self._rng.randint(1, 3))]
            tail: Any = False if self._chance(0.5) else self._value(0)
            return {"type": "array", "prefixItems": prefix, "items": tail, "minItems": len(prefix)}
        drawn: Schema = {"type": "array", "items": self._value(depth - 1)}
        low = self._rng.randint(0, 3)
        if self._chance(0.5):
            drawn["minItems"] = low
        if self._chance(0.5):
            drawn["maxItems"] = low + self._rng.randint(0, 4)
        return drawn

    def _distinct(self, _depth: int) -> Schema:
        items = self._rng.choice(
            [{"enum": ["a", "b", "c", 1]}, {"type": "integer"}, {"type": "string"}]
        )
        return {"type": "array", "items": items, "uniqueItems": True, "minItems": 1, "maxItems": 3}

    def _string(self, _depth: int) -> Schema:
        drawn: Schema = {"type": "string"}
        kind = self._rng.randint(0, 5)
        if kind == 0:
            drawn["pattern"] = self._rng.choice(PATTERNS)
        elif kind == 1:
            drawn["format"] = self._rng.choice(FORMATS)
        elif kind == 2:
            drawn["minLength"] = self._rng.randint(0, 10)
            drawn["maxLength"] = drawn["minLength"] + self._rng.randint(0, 30)
        return drawn

    def _integer(self, _depth: int) -> Schema:
        drawn: Schema = {"type": "integer"}
        low = self._rng.choice([-100, 0, 1, 18, 1000])
        if self._chance(0.5):
            drawn[self._rng.choice(["minimum", "exclusiveMinimum"])] = low
        if self._chance(0.4):
            drawn["maximum"] = low + self._rng.randint(15, 5000)
        if self._chance(0.15):
            drawn["multipleOf"] = self._rng.choice([2, 5, 7, 10])
        return drawn

    def _number(self, _depth: int) -> Schema:
        drawn: Schema = {"type": "number"}
        if self._chance(0.5):
            drawn[self._rng.choice(["minimum", "exclusiveMinimum"])] = self._rng.choice([0, -1.5])
        if self._chance(0.4):
            drawn[self._rng.choice(["maximum", "exclusiveMaximum"])] = self._rng.choice([1, 99.95])
        if self._chance(0.15):
            drawn["multipleOf"] = self._rng.choice([0.01, 0.5, 0.1])
        return drawn

    def _enum(self, _depth: int) -> Schema:
        if self._chance(0.3):
            return {"const": self._rng.choice([*WORDS, 7, 1.5, None, True, {"k": [1, "v"]}])}
        return {"enum": self._rng.sample(WORDS, self._rng.randint(1, 5))}

    def _flag(self, _depth: int) -> Schema:
        return {"type": "boolean"}

    def _nullable(self, _depth: int) -> Schema:
        return {"type": [self._rng.choice(["string", "integer", "number"]), "null"]}

    def _odd(self, _depth: int) -> Any:
        return self._rng.choice(ODD)

    def _combined(self, depth: int) -> Schema:
        kind = self._rng.randint(0, 3)
        if kind == 0:
            return {"anyOf": [self._value(depth - 1), {"type": "null"}, self._string(0)]}
        if kind == 1:
            return {
                "oneOf": [
                    {
                        "type": "object",
                        "properties": {"kind": {"const": word}, "值": self._value(depth - 1)},
                        "required": ["kind", "值"],
                        "additionalProperties": False,
                    }
                    for word in ("circle", "square", "三角")
                ]
            }
        if kind == 2:
            first, second = self._object(depth - 1), self._object(0)
            for part in (first, second):
                for word in ("additionalProperties", "maxProperties"):
                    part.pop(word, None)
            second["properties"] = {
                f"{name}2": value for name, value in second["properties"].items()
            }
            second["required"] = [f"{name}2" for name in second.get("required", [])]
            second.pop("dependentRequired", None)
            return {"allOf": [first, second]}
        return {
            "type": "object",
            "properties": {"mode": {"enum": ["a", "b"]}, "extra": self._integer(0)},
            "required": ["mode"],
            "if": {"properties": {"mode": {"const": "a"}}},
            "then": {"required": ["extra"]},
        }

    def _shared(self, depth: int) -> Schema:
        name = f"Part{len(self._defs)}"
        self._defs[name] = {"type": "null"}  # taken while its own parts are drawn
        self._defs[name] = self._object(depth - 1)
        return {"$ref": f"#/$defs/{name}"}

    def _recursive(self, depth: int) -> Schema:
        self._defs["Node"] = {
            "type": "object",
            "properties": {
                "value": self._value(0),
                "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}, "maxItems": 3},
                "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
            },
            "required": ["value"],
        }
        root = {"root": {"$ref": "#/$defs/Node"}}
        return {"type": "object", "properties": root, "required": ["root"]}
