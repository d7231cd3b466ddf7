"""Names of properties that the schema does not list."""

from __future__ import annotations

import json
from typing import Any

from msgspec.structs import replace

from xinghe.generation.structure.apart import FIRST, LAST, text_parts
from xinghe.generation.structure.canonical import followed, merged
from xinghe.generation.structure.errors import Unsupported
from xinghe.generation.structure.lark import Lark, literal
from xinghe.generation.structure.strings import Text, text

KEY_LENGTH = 40
"""Characters of a free name, where the schema has no bound of its own."""
STARTS = tuple(
    f"^[{span}]" for span in ("a-f", "g-m", "n-s", "t-z", "A-F", "G-M", "N-S", "T-Z", "0-4", "5-9")
)
"""First characters of names that must differ: no two ranges share one."""


def free_keys(lark: Lark, names: Any, taken: tuple[str, ...], lacking: int) -> list[str]:
    """Rules of names: `lacking` - 1 that differ from one another, then one for all the rest.

    `names` is the schema of `propertyNames`, one string schema; `taken` are names that are
    declared. A name that comes again is legal JSON and overwrites the first, so only those that
    must count are kept apart.
    """
    bound = Text(1, KEY_LENGTH) if names in (True, {}) else _bounded(names)
    wanted = replace(bound, taken=(*bound.taken, *map(literal, taken)))
    if lacking <= 1:
        return [wanted.rule(lark)]
    for marks in (STARTS, FIRST, LAST):
        apart = text_parts(wanted, marks)
        if len(apart) >= lacking:
            return [part.rule(lark) for part in apart[:lacking]]
    raise Unsupported("minProperties", f"is {lacking} more than the required properties")


def constants(names: dict[str, Any]) -> bool:
    """Whether a schema of names lists them."""
    return bool({"enum", "const"} & set(names))


def named(node: dict[str, Any], document: Any) -> dict[str, Any]:
    """An object schema whose `propertyNames` refer to nothing."""
    names = node.get("propertyNames")
    if not isinstance(names, dict) or "$ref" not in json.dumps(names):
        return node
    found = [followed(part, document) for part in names.get("allOf", [names])]
    rest = {word: value for word, value in names.items() if word not in ("allOf", "$ref")}
    return node | {"propertyNames": merged([rest, *found], document)}


def _bounded(names: dict[str, Any]) -> Text:
    if names.get("type", "string") != "string":
        raise Unsupported("propertyNames")
    wanted = text({"type": "string"} | names, KEY_LENGTH)
    return replace(wanted, low=max(wanted.low, min(1, wanted.high)))
