"""Schemas as a reader wants them: the fields of an object, each in one line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec

from xinghe.console.reference.told import Told, told

_REF = "#/components/schemas/"
_SIMPLE = {"integer", "number", "string", "boolean"}
_STORED = (-(2**63), 2**31 - 1, 2**63 - 1)
"""Bounds that only say that a number is stored somewhere."""


class Field(msgspec.Struct, frozen=True):
    """A field of an object, or a parameter.

    `type` is what a program sends: `string | array of object`. `allowed` are its values or its
    range. `default` is in JSON. `below` names the shapes of the objects in it. `place` is `query`,
    `path` or `header` of a parameter, empty of a field. `dialect` is the only one that has it, so
    written; empty where all have.
    """

    name: str
    type: str
    required: bool
    allowed: Told
    default: str
    told: Told
    below: tuple[str, ...]
    place: str = ""
    dialect: str = ""


class Shape(msgspec.Struct, frozen=True):
    """An object: what is said of it, and its fields."""

    told: Told
    fields: tuple[Field, ...]


def rows(fields: Iterable[Field]) -> list[tuple[Field, ...]]:
    """Fields of one name together: one where all dialects have the same, else one of each."""
    return [tuple(same) for _, same in groupby(fields, key=lambda each: each.name)]


class Shapes:
    """All objects of a document by name, also those that have none of their own there."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self.all: dict[str, Shape] = {}
        self._schemas = schemas
        for name, schema in schemas.items():
            if schema.get("type") == "object":
                self.all[name] = self._shape(name, schema)

    def field(
        self, name: str, schema: Mapping[str, Any], within: str, *, required: bool = False
    ) -> Field:
        """One of an object, or a parameter of an operation, which is called `within`."""
        kinds = [each for each in _kinds(schema) if each.get("type") != "null"]
        shown = [self._kind(each, f"{within}.{name}") for each in kinds]
        texts = _texts(schema)
        defaults = [each["default"] for each in [*kinds, schema] if _has_default(each)]
        return Field(
            name=name,
            type=" | ".join(dict.fromkeys(each.type for each in shown)),
            required=required,
            allowed=_joined(" | ", [each.allowed for each in shown]),
            default=json.dumps(defaults[0], ensure_ascii=False) if defaults else "",
            told=told(texts[0] if texts else ""),
            below=tuple(dict.fromkeys(each for kind in shown for each in kind.below)),
        )

    def _shape(self, name: str, schema: Mapping[str, Any]) -> Shape:
        required = schema.get("required", ())
        fields = [
            self.field(each, inner, name, required=each in required)
            for each, inner in schema.get("properties", {}).items()
        ]
        first = sorted(fields, key=lambda each: not each.required)
        return Shape(told(schema.get("description", "")), tuple(first))

    def _kind(self, schema: Mapping[str, Any], within: str) -> _Kind:
        """One of the types that a value may have, or several in one."""
        if ref := schema.get("$ref", ""):
            name = ref.removeprefix(_REF)
            target = self._schemas[name]
            is_object = target.get("type") == "object"
            return _Kind("object", NOTHING, (name,)) if is_object else self._kind(target, within)
        if "anyOf" in schema:
            kinds = [self._kind(each, within) for each in _kinds(schema)]
            return _Kind(
                " | ".join(dict.fromkeys(each.type for each in kinds)),
                _joined(" | ", [each.allowed for each in kinds]),
                tuple(name for each in kinds for name in each.below),
            )
        return self._plain(schema, within)

    def _plain(self, schema: Mapping[str, Any], within: str) -> _Kind:
        values = schema.get("enum", [schema["const"]] if "const" in schema else [])
        if values:
            kind = "boolean" if isinstance(values[0], bool) else "string"
            return _Kind(kind, _same(", ".join(json.dumps(each) for each in values)), ())
        kind = schema.get("type", "")
        if kind == "array":
            return self._array(schema, within)
        if kind == "object":
            return self._object(schema, within)
        return _Kind(kind, _range(schema), ()) if kind in _SIMPLE else _Kind("any", NOTHING, ())

    def _array(self, schema: Mapping[str, Any], within: str) -> _Kind:
        inner = self._kind(schema.get("items") or {}, within)
        kinds = inner.type if " | " not in inner.type else f"({inner.type})"
        counted = _span(schema.get("minItems"), schema.get("maxItems"))
        allowed = Told(f"{counted} 项", f"{counted} items") if counted else NOTHING
        return _Kind(f"array of {kinds}", _joined(": ", [allowed, inner.allowed]), inner.below)

    def _object(self, schema: Mapping[str, Any], within: str) -> _Kind:
        if schema.get("properties"):
            shape = self._shape(within, {**schema, "description": ""})
            # Two dialects have the same one: it is told once.
            alike = (name for name, each in self.all.items() if each == shape)
            name = next(alike, within)
            self.all[name] = shape
            return _Kind("object", NOTHING, (name,))
        inner = schema.get("additionalProperties")
        if isinstance(inner, dict) and inner:
            values = self._kind(inner, within)
            return _Kind(f"object of {values.type}", values.allowed, values.below)
        return _Kind("object", _same("{}") if schema.get("maxProperties") == 0 else NOTHING, ())


class _Kind(msgspec.Struct, frozen=True):
    """One of the types of a value."""

    type: str
    allowed: Told
    below: tuple[str, ...]


NOTHING = Told("", "")


def _same(text: str) -> Told:
    return Told(text, text)


def _joined(between: str, all_told: Sequence[Told]) -> Told:
    """Those that say something, each once."""
    kept = [each for each in dict.fromkeys(all_told) if each.english]
    return Told(
        between.join(each.chinese for each in kept), between.join(each.english for each in kept)
    )


def _kinds(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The alternatives of a schema, those within alternatives too."""
    if isinstance(schema.get("type"), list):
        return [{**schema, "type": each} for each in schema["type"]]
    if "anyOf" not in schema:
        return [schema]
    return [each for one in schema["anyOf"] for each in _kinds(one)]


def _texts(schema: Mapping[str, Any]) -> list[str]:
    """What is said of a schema, then of its alternatives."""
    own = [schema["description"]] if schema.get("description") else []
    return own + [text for each in schema.get("anyOf", ()) for text in _texts(each)]


def _has_default(schema: Mapping[str, Any]) -> bool:
    return schema.get("default") not in (None, [], {}, "")


def _range(schema: Mapping[str, Any]) -> Told:
    """Of a number, or of the length of a text; a pattern says more, and words say it better."""
    if schema.get("type") == "string":
        if pattern := schema.get("pattern"):
            return NOTHING if schema.get("description") else _same(f"`{pattern}`")
        most = schema.get("maxLength")
        return Told(f"≤ {most:,} 个字符", f"≤ {most:,} characters") if most else NOTHING
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    return _same(_span(*(None if each in _STORED else each for each in (low, high))))


def _span(low: Any, high: Any) -> str:
    if low is None and high is None:
        return ""
    if low is None:
        return f"≤ {high}"
    if high is None:
        return f"≥ {low}"
    return f"{low}" if low == high else f"{low} – {high}"
