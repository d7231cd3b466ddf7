"""What the model is told of the form: a sketch of the schema, short because prefill is slow."""

from __future__ import annotations

import json
from typing import Any

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
        sketch = _sketch(schema, schema, levels)
        if len(sketch) <= LONGEST:
            return SCHEMA_HINT + sketch
    return SCHEMA_HINT + sketch[:LONGEST] + "…"


def _sketch(node: Any, document: Any, levels: int) -> str:
    """A schema in the manner of TypeScript's types, which models know well."""
    if not isinstance(node, dict) or levels <= 0:
        return "any"
    if "$ref" in node:
        return _sketch(_pointed(str(node["$ref"]), document), document, levels - 1)
    if values := node.get("enum", [node["const"]] if "const" in node else []):
        shown = [json.dumps(value, ensure_ascii=False) for value in values[:CHOICES]]
        return " | ".join(shown)
    for word, mark in (("anyOf", " | "), ("oneOf", " | "), ("allOf", " & ")):
        if isinstance(node.get(word), list):
            return mark.join(_sketch(part, document, levels - 1) for part in node[word])
    return _typed(node, document, levels)


def _typed(node: dict[str, Any], document: Any, levels: int) -> str:
    kind = node.get("type", "object" if "properties" in node else "any")
    if kind == "array":
        return f"[{_sketch(node.get('items'), document, levels - 1)}, …]"
    if kind == "object":
        return _object(node, document, levels)
    text = " | ".join(map(str, kind)) if isinstance(kind, list) else str(kind)
    return f"{text}({node['format']})" if "format" in node else text


def _object(node: dict[str, Any], document: Any, levels: int) -> str:
    properties = node.get("properties")
    if not isinstance(properties, dict) or not properties:
        values = node.get("additionalProperties", True)
        return f'{{"…": {_sketch(values, document, levels - 1)}}}'
    shown = []
    for name, schema in properties.items():
        mark = "" if name in node.get("required", ()) else "?"
        note = str(schema.get("description", ""))[:NOTE] if isinstance(schema, dict) else ""
        shown.append(
            f"{json.dumps(name, ensure_ascii=False)}{mark}: "
            f"{_sketch(schema, document, levels - 1)}" + (f" /* {note} */" if note else "")
        )
    return "{" + ", ".join(shown) + "}"


def _pointed(reference: str, document: Any) -> Any:
    found = document
    for token in reference.removeprefix("#").split("/")[1:]:
        found = found.get(token) if isinstance(found, dict) else None
    return found
