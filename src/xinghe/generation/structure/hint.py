"""What the model is told of the form: a sketch of the schema, short because prefill is slow."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from xinghe.generation.structure.refusals import pointed

OBJECT_HINT = "只输出一个 JSON 对象,没有其他内容。(Answer with one JSON object and nothing else.)"
SCHEMA_HINT = "只输出如下形式的 JSON,没有其他内容。(Answer only with JSON of this form.)\n"
LONGEST = 800
"""Characters of a sketch: a longer one is cut to fewer levels."""
LEVELS = 6
NOTE = 60
"""Characters of a description."""
CHOICES = 12
"""Values of an enum that are shown."""


def hint_for(schema: Any) -> str:
    """The sentence for a schema; the same for the same schema."""
    for levels in range(LEVELS, 0, -1):
        sketch = _Sketch(schema)
        try:
            sketch.part(schema, levels)
        except _TooLongError:
            continue
        return SCHEMA_HINT + sketch.text()
    return SCHEMA_HINT + sketch.text()[:LONGEST] + "…"


class _TooLongError(Exception):
    """The sketch has reached its bound: what it would have come to is never written."""


class _Sketch:
    """A schema in the manner of TypeScript's types, which models know well."""

    def __init__(self, document: Any) -> None:
        self._document = document
        self._pieces: list[str] = []
        self._length = 0
        self._parts = 0

    def text(self) -> str:
        """What is written so far."""
        return "".join(self._pieces)

    def part(self, node: Any, levels: int) -> None:
        """Write a part of the schema; raises `_TooLongError`."""
        self._parts += 1
        if self._parts > LONGEST:
            raise _TooLongError  # of parts that write nothing
        if not isinstance(node, dict) or levels <= 0:
            self._write("any")
        elif "$ref" in node:
            pointer = unquote(str(node["$ref"]).removeprefix("#"))
            self.part(pointed(pointer, self._document), levels - 1)
        elif values := node.get("enum", [node["const"]] if "const" in node else []):
            shown = [json.dumps(value, ensure_ascii=False) for value in values[:CHOICES]]
            self._write(" | ".join(shown))
        else:
            for word, mark in (("anyOf", " | "), ("oneOf", " | "), ("allOf", " & ")):
                if isinstance(node.get(word), list):
                    self._branches(node[word], mark, levels)
                    return
            self._typed(node, levels)

    def _branches(self, branches: list[Any], mark: str, levels: int) -> None:
        for number, branch in enumerate(branches):
            self._write(mark if number else "")
            self.part(branch, levels - 1)

    def _typed(self, node: dict[str, Any], levels: int) -> None:
        kind = node.get("type", "object" if "properties" in node else "any")
        if kind == "array":
            self._write("[")
            self.part(node.get("items"), levels - 1)
            self._write(", …]")
        elif kind == "object":
            self._object(node, levels)
        else:
            text = " | ".join(map(str, kind)) if isinstance(kind, list) else str(kind)
            self._write(f"{text}({node['format']})" if "format" in node else text)

    def _object(self, node: dict[str, Any], levels: int) -> None:
        properties = node.get("properties")
        if not isinstance(properties, dict) or not properties:
            self._write('{"…": ')
            self.part(node.get("additionalProperties", True), levels - 1)
            self._write("}")
            return
        required = set(node.get("required", ()))
        for number, (name, schema) in enumerate(properties.items()):
            mark = "" if name in required else "?"
            self._write(f"{', ' if number else '{'}{json.dumps(name, ensure_ascii=False)}{mark}: ")
            self.part(schema, levels - 1)
            note = str(schema.get("description", ""))[:NOTE] if isinstance(schema, dict) else ""
            self._write(f" /* {note} */" if note else "")
        self._write("}")

    def _write(self, text: str) -> None:
        self._pieces.append(text)
        self._length += len(text)
        if self._length > LONGEST:
            raise _TooLongError
