"""Lark text for llguidance, built rule by rule: equal rules are one."""

from __future__ import annotations

import json
from typing import Any

CHARACTER = r'(\\["\\nt]|[^"\\\x00-\x1f\x7f])'
"""One character of a JSON string in the only spelling that our own terminals allow."""
COMMA = r"/, ?/"
COLON = r"/: ?/"
"""Models write a space here; more than one is never needed."""
LARGEST = 2**64
"""Beyond this, integers are read as floating-point numbers."""


class Lark:
    """A grammar that grows; the names of rules are made, so no schema can collide with them."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._lines: list[str] = []
        self.size = 0

    def rule(self, body: str, parameter: str = "") -> str:
        """The name of a rule with this body; a parametric one reads `{name}` as itself."""
        if body not in self._names:
            self._names[body] = f"r{len(self._names)}"
            name = self._names[body]
            self._lines.append(f"{name}{parameter}: {body.replace('{name}', name)}")
            self.size += len(body)
        return self._names[body]

    def terminal(self, body: str) -> str:
        """The name of a terminal with this body."""
        if body not in self._names:
            self._names[body] = f"T{len(self._names)}"
            self._lines.append(f"{self._names[body]}: {body}")
            self.size += len(body)
        return self._names[body]

    def leaf(self, schema: dict[str, Any]) -> str:
        """A rule for a value that llguidance's own JSON compiler is trusted with: a scalar."""
        options = {"x-guidance": {"whitespace_flexible": False}}
        return self.rule("%json " + json.dumps(schema | options, ensure_ascii=False))

    def text(self, start: str) -> str:
        """The whole grammar."""
        return "\n".join([f"start: {start}", *self._lines])


def literal(value: Any) -> str:
    """A Lark literal of the JSON text of a value, without spaces."""
    if isinstance(value, int) and abs(value) > LARGEST:
        value = float(value)  # as one was written: the canonical form counts all its digits
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # A raw DEL is legal in JSON, but not in Lark.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def repeated(item: str, low: int, high: int) -> str:
    """`item` from `low` to `high` times."""
    if high <= 0:
        return ""
    return item if low == high == 1 else f"({item}){{{low},{high}}}"
