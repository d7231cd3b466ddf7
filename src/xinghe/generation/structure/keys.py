"""Names of properties that the schema does not list."""

from __future__ import annotations

from typing import Any

from xinghe.generation.structure.errors import Unsupported
from xinghe.generation.structure.lark import Lark, literal
from xinghe.generation.structure.scalars import plain_text, string

KEY_LENGTH = 40
"""Characters of a free name, where the schema has no bound of its own."""
STARTS = ("a-f", "g-m", "n-s", "t-z", "A-F", "G-M", "N-S", "T-Z", "0-4", "5-9")
"""First characters of names that must differ: no two ranges share one."""


def free_keys(lark: Lark, names: Any, taken: tuple[str, ...], lacking: int) -> list[str]:
    """Rules of names: `lacking` - 1 that differ from one another, then one for all the rest.

    `names` is the schema of `propertyNames`; `taken` are names that are declared. A name that
    comes again is legal JSON and overwrites the first, so only those that must count are kept
    apart.
    """
    if names in (True, {}):
        words = " | ".join(literal(name) for name in taken)
        rest = lark.terminal(plain_text(1, KEY_LENGTH, words))
        if lacking <= 1:
            return [rest]
        if lacking > len(STARTS):
            raise Unsupported("minProperties", f"is {lacking} more than the required properties")
        return [_starting(lark, first, words) for first in STARTS[: lacking - 1]] + [
            _starting(lark, STARTS[lacking - 1], words)
        ]
    if lacking > 1:
        raise Unsupported("minProperties", "cannot be guaranteed beside propertyNames")
    if taken:
        raise Unsupported("propertyNames")
    if names.get("type", "string") != "string" or "anyOf" in names or "$ref" in names:
        raise Unsupported("propertyNames")
    leaf = string({"type": "string"} | names, 0)
    leaf["minLength"] = max(leaf["minLength"], min(1, leaf["maxLength"]))
    return [lark.leaf(leaf)]


def _starting(lark: Lark, first: str, words: str) -> str:
    body = f'/"[{first}][^"\\\\\\x00-\\x1f\\x7f]{{0,{KEY_LENGTH}}}"/'
    return lark.terminal(f"{body} & ~({words})" if words else body)
