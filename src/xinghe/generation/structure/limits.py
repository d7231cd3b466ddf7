"""How large a schema may be: checked before anything reads it closely."""

from __future__ import annotations

from typing import Any

from xinghe.generation.structure.errors import Unguaranteed
from xinghe.generation.structure.locate import escaped

DEPTH = 48
"""Levels of JSON, so about 20 levels of nested objects (each takes two)."""
NODES = 6_000
"""Objects, arrays and scalars in all."""
CHARACTERS = 200_000
"""Of all names and strings together."""
NAMES = 400
"""Entries of one object: properties of one schema, say."""
CHOICES = 1_000
"""Entries of one array: values of one enum, say."""
BRANCHES = 120
"""Branches of anyOf, oneOf and allOf in all: their combinations grow fastest."""
PATTERN = 1_000
"""Characters of a regular expression."""


def within_limits(schema: Any) -> None:
    """Raise `Unguaranteed` for a schema that is too deep, too large or too branched."""
    nodes = characters = branches = 0
    stack: list[tuple[Any, str, str, int]] = [(schema, "", "schema", 1)]
    while stack:
        value, path, keyword, depth = stack.pop()
        nodes += 1
        if depth > DEPTH:
            raise Unguaranteed(keyword, path, f"is nested more than {DEPTH} levels deep")
        if isinstance(value, dict):
            if len(value) > NAMES:
                raise Unguaranteed(keyword, path, f"has {len(value)} entries, at most {NAMES}")
            for name, item in value.items():
                characters += len(name)
                stack.append((item, f"{path}/{escaped(name)}", name, depth + 1))
        elif isinstance(value, list):
            if len(value) > CHOICES:
                raise Unguaranteed(keyword, path, f"has {len(value)} entries, at most {CHOICES}")
            if keyword in ("anyOf", "oneOf", "allOf"):
                branches += len(value)
            stack.extend((item, f"{path}/{i}", keyword, depth + 1) for i, item in enumerate(value))
        elif isinstance(value, str):
            characters += len(value)
            if keyword == "pattern" and len(value) > PATTERN:
                raise Unguaranteed(keyword, path, f"is longer than {PATTERN} characters")
        if nodes > NODES:
            raise Unguaranteed("schema", "", f"holds more than {NODES} values")
        if characters > CHARACTERS:
            raise Unguaranteed("schema", "", f"is longer than {CHARACTERS} characters")
        if branches > BRANCHES:
            raise Unguaranteed(keyword, path, f"makes more than {BRANCHES} branches in all")
