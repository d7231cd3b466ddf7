"""How large a schema may be: checked before anything reads it closely."""

from __future__ import annotations

from collections.abc import Iterator
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
CONDITIONS = 12
"""Uses of if and of dependent properties: each doubles the cases."""
PATTERN = 1_000
"""Characters of a regular expression."""


def within_limits(schema: Any) -> None:
    """Raise `Unguaranteed` for a schema that is too deep, too large or too branched."""
    characters = branches = conditions = 0
    for nodes, (keyword, path, value, depth) in enumerate(_values(schema), 1):
        if depth > DEPTH:
            raise Unguaranteed(keyword, path, f"is nested more than {DEPTH} levels deep")
        most = NAMES if isinstance(value, dict) else CHOICES
        if isinstance(value, dict | list) and len(value) > most:
            raise Unguaranteed(keyword, path, f"has {len(value)} entries, at most {most}")
        if isinstance(value, list) and keyword in ("anyOf", "oneOf", "allOf"):
            branches += len(value)
        conditions += _conditions(keyword, value)
        if isinstance(value, str):
            characters += len(value)
            if keyword == "pattern" and len(value) > PATTERN:
                raise Unguaranteed(keyword, path, f"is longer than {PATTERN} characters")
        if isinstance(value, dict):
            characters += sum(map(len, value))
        for count, most, noun in (
            (nodes, NODES, "values"),
            (characters, CHARACTERS, "characters"),
            (branches, BRANCHES, "branches"),
            (conditions, CONDITIONS, "conditions"),
        ):
            if count > most:
                raise Unguaranteed("schema", "", f"has more than {most} {noun} in all")


def _conditions(keyword: str, value: Any) -> int:
    if not isinstance(value, dict):
        return 0
    dependent = keyword in ("dependentRequired", "dependentSchemas", "dependencies")
    return (len(value) if dependent else 0) + ("if" in value)


def _values(schema: Any) -> Iterator[tuple[str, str, Any, int]]:
    """Every value with the keyword that it stands under, its path and its depth."""
    stack: list[tuple[str, str, Any, int]] = [("schema", "", schema, 1)]
    while stack:
        keyword, path, value, depth = stack.pop()
        yield keyword, path, value, depth
        if isinstance(value, dict):
            for name, item in value.items():
                stack.append((name, f"{path}/{escaped(name)}", item, depth + 1))
        elif isinstance(value, list):
            stack.extend((keyword, f"{path}/{i}", item, depth + 1) for i, item in enumerate(value))
