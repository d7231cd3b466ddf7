"""What settings say, read as the program would read them."""

from __future__ import annotations

import ast
import json
import shlex
import tomllib
from collections.abc import Iterator
from typing import Any

from xinghe.clients import Filled


def values(part: Filled) -> list[str]:
    """All values that stand in a part; raises where it is not what its form says."""
    match part.form:
        case "toml":
            return list(_texts(tomllib.loads(part.text)))
        case "json":
            return list(_texts(json.loads(part.text)))
        case "python":
            tree = ast.walk(ast.parse(part.text))
            return [str(each.value) for each in tree if isinstance(each, ast.Constant)]
        case "bash":  # of `NAME=value`, the value too
            words = shlex.split(part.text.replace("\\\n", ""))
            return [*words, *(word.partition("=")[2] for word in words)]
        case "fields":
            return [value for _, value in part.fields]


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield key
            yield from _texts(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _texts(value)
    else:
        yield str(tree)
