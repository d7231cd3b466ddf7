"""Where a keyword stands in a schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

NAMED = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"}
)
"""Keywords whose value maps names of the author's own to schemas."""
VALUES = frozenset({"const", "enum", "default", "examples", "example"})
"""Keywords whose value is data and no schema."""


def keywords(schema: Any, path: str = "") -> Iterator[tuple[str, Any, str]]:
    """Every keyword of a schema and of its subschemas: its name, value and JSON Pointer."""
    if isinstance(schema, list):
        for number, item in enumerate(schema):
            yield from keywords(item, f"{path}/{number}")
    if not isinstance(schema, dict):
        return
    for name, value in schema.items():
        here = f"{path}/{escaped(name)}"
        yield name, value, here
        if name in VALUES:
            continue
        if name in NAMED and isinstance(value, dict):
            for key, item in value.items():
                yield from keywords(item, f"{here}/{escaped(key)}")
        else:
            yield from keywords(value, here)


def escaped(name: str) -> str:
    """A name as a token of a JSON Pointer (RFC 6901 §3)."""
    return name.replace("~", "~0").replace("/", "~1")
