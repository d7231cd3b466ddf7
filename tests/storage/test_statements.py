"""Statements that both databases run: SQLite gives parameters to `$1`, `$2` by their places."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import xinghe

SOURCE = Path(xinghe.__file__).parent
PARAMETER = re.compile(r"\$(\d+)")


def statements(file: Path) -> list[str]:
    """The texts of a program's strings, those in parts put together."""
    found = []
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.JoinedStr):
            parts = (each.value for each in node.values if isinstance(each, ast.Constant))
            found.append(" … ".join(str(part) for part in parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return [each for each in found if PARAMETER.search(each)]


def test_each_parameter_comes_first_in_the_order_of_its_number() -> None:
    written = [sql for file in sorted(SOURCE.rglob("*.py")) for sql in statements(file)]
    assert len(written) > 30
    for sql in written:
        numbers = list(dict.fromkeys(int(number) for number in PARAMETER.findall(sql)))
        assert numbers == sorted(numbers), sql
