"""What the model is told of the form: short, and the same for the same schema."""

from __future__ import annotations

import json
from typing import Any

OBJECT_HINT = (
    "只输出一个 JSON 对象,不要输出其他内容。(Answer with one JSON object and nothing else.)"
)
LONGEST = 1_500
"""Characters of a schema that is quoted: a longer one costs more to read than it helps."""
SILENT = frozenset({"$schema", "$id", "$comment", "examples", "default", "title"})


def hint_for(schema: Any) -> str:
    """The sentence for a schema, with the schema itself where it is short enough."""
    text = json.dumps(_essential(schema), ensure_ascii=False, separators=(",", ":"))
    start = "只输出符合下面 JSON Schema 的 JSON,不要输出其他内容。(Answer only with JSON that fits this JSON Schema.)"
    if len(text) > LONGEST:
        return start.replace("下面 JSON Schema 的", "要求的").replace(
            "this JSON Schema", "the schema"
        )
    return f"{start}\n{text}"


def _essential(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_essential(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        word: _named(value) if word in ("properties", "$defs", "definitions") else _essential(value)
        for word, value in schema.items()
        if word not in SILENT
    }


def _named(schemas: Any) -> Any:
    if not isinstance(schemas, dict):
        return schemas
    return {name: _essential(schema) for name, schema in schemas.items()}
