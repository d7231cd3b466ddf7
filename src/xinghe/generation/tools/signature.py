"""A function in the short form that the model reads: a third of the tokens of its JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from xinghe.core import Tool

PLAIN = frozenset({"type", "description", "enum", "title", "default", "items", "properties"})
PLAIN_OBJECT = PLAIN | {"required", "additionalProperties"}
BOUNDS = frozenset(
    [
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "format",
        "pattern",
        "examples",
    ]
)
"""Kept by the grammar, whether the model has read them or not."""


def signature(tool: Tool) -> str:
    """`name(city: string /* 城市 */, day?: "today"|"tomorrow") // what it does`, on one line.

    Parameters that this form cannot tell (unions, references, …) are shown as their schema.
    """
    shown = _object(tool.parameters, "(", ")")
    if shown is None:
        shown = f"({_json(tool.parameters)})"
    return f"{tool.name}{shown}{_note('// ', tool.description)}"


def _object(schema: Mapping[str, Any], opening: str, closing: str) -> str | None:
    if not schema.keys() <= PLAIN_OBJECT or schema.get("type", "object") != "object":
        return None
    required = schema.get("required", ())
    members = []
    for name, member in schema.get("properties", {}).items():
        kind = _kind(member)
        if kind is None:
            return None
        mark = "" if name in required else "?"
        note = _note("/* ", member.get("description", ""), " */")
        members.append(f"{name}{mark}: {kind}{note}")
    return opening + ", ".join(members) + closing


def _kind(schema: object) -> str | None:
    if not isinstance(schema, dict):
        return None
    kind = schema.get("type")
    if kind == "object" and schema.get("properties"):
        return _object(schema, "{", "}")
    if not schema.keys() <= PLAIN | BOUNDS:
        return None
    if "enum" in schema:
        return "|".join(map(_json, schema["enum"]))
    if kind == "array":
        item = _kind(schema.get("items", {"type": "any"}))
        return None if item is None else f"{item}[]"
    return kind if isinstance(kind, str) else None


def _note(opening: str, text: str, closing: str = "") -> str:
    """A description on one line; line ends in it would look like further functions."""
    text = " ".join(text.split())
    return f" {opening}{text}{closing}" if text else ""


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
