"""How much JSON a client may hand in as schemas: all that the gateway itself looks at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from xinghe.generation.structure import Unguaranteed
from xinghe.generation.structure.limits import CHARACTERS, NODES

LEVELS = 200
"""Where even looking ends; the worker names what is nested too deeply long before."""

ALL_NODES, ALL_CHARACTERS = 4 * NODES, 4 * CHARACTERS
"""Of all functions of a request together."""


def text_of(schema: dict[str, Any]) -> bytes:
    """The JSON text of a schema. Raises `Unguaranteed` for one beyond the limits."""
    _within(schema, NODES, CHARACTERS)
    return _text(schema)


def text_of_all(tools: Sequence[dict[str, Any]]) -> bytes:
    """The same for functions as {name, description, parameters}."""
    nodes = characters = 0
    for number, tool in enumerate(tools):
        try:
            own = _within(tool["parameters"], NODES, CHARACTERS)
        except Unguaranteed as error:
            path = f"/{number}/function/parameters"
            raise Unguaranteed(error.keyword, path, error.reason) from None
        nodes += own[0]
        characters += own[1] + len(tool["description"])
        if nodes > ALL_NODES or characters > ALL_CHARACTERS:
            raise Unguaranteed(
                "tools", "", f"have more than {ALL_NODES} values or {ALL_CHARACTERS} characters"
            )
    return _text(tools)


def _within(schema: Any, nodes: int, characters: int) -> tuple[int, int]:
    """The values and characters of `schema`; stops at the first too many."""
    seen = length = 0
    level: list[Any] = [schema]
    for _ in range(LEVELS):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below += value.values()
                length += sum(map(len, value))
            elif isinstance(value, list):
                below += value
            elif isinstance(value, str):
                length += len(value)
            if seen + len(below) > nodes:
                raise Unguaranteed("schema", "", f"has more than {nodes} values in all")
            if length > characters:
                raise Unguaranteed("schema", "", f"has more than {characters} characters in all")
        seen += len(level)
        level = below
        if not level:
            return seen, length
    raise Unguaranteed("schema", "", f"is nested more than {LEVELS} levels deep")


def _text(value: Any) -> bytes:
    # Escaped: a lone surrogate, which JSON may spell, has no UTF-8.
    return json.dumps(value, separators=(",", ":")).encode()
