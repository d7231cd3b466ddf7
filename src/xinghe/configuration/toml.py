"""A tree as TOML: what `models.toml` would hold to be imported as it."""

import json
from typing import Any

from xinghe.catalog import Tree
from xinghe.configuration.tree import Path, named


def as_toml(tree: Tree) -> str:
    """A table a paragraph."""
    return "\n".join(_tables(tree, ())).lstrip("\n")


def _tables(table: Tree, path: Path) -> list[str]:
    plain = {name: value for name, value in table.items() if not isinstance(value, dict)}
    lines = [f"{named((name,))} = {inline(value)}" for name, value in plain.items()]
    if path and (lines or not table):
        lines = ["", f"[{named(path)}]", *lines]
    for name, value in table.items():
        if isinstance(value, dict):
            lines += _tables(value, (*path, name))
    return [*lines, ""] if not path else lines


def inline(value: Any) -> str:
    """A value as it stands behind its name."""
    if isinstance(value, dict):
        pairs = (f"{named((name,))} = {inline(each)}" for name, each in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    # JSON's texts, integers and truth values are TOML's, but for one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
