"""What the model is told of the form: a sketch of the schema, short because prefill is slow."""

from __future__ import annotations

import json
from collections.abc import Iterator
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
    text = ""
    for levels in range(LEVELS, 0, -1):
        text = ""
        for piece in _part(schema, levels, schema):
            text += piece
            if len(text) > LONGEST:
                break  # what it would have come to is never written
        else:
            return SCHEMA_HINT + text
    return SCHEMA_HINT + text[:LONGEST] + "…"


def _part(node: Any, levels: int, document: Any) -> Iterator[str]:
    """A part of the `document`, in the manner of TypeScript's types, which models know well."""
    if not isinstance(node, dict) or levels <= 0:
        yield "any"
        return
    if "$ref" in node:
        pointer = unquote(str(node["$ref"]).removeprefix("#"))
        yield from _part(pointed(pointer, document), levels - 1, document)
        return
    if values := node.get("enum", [node["const"]] if "const" in node else []):
        shown = [json.dumps(value, ensure_ascii=False) for value in values[:CHOICES]]
        yield " | ".join(shown)
        return
    for word, mark in (("anyOf", " | "), ("oneOf", " | "), ("allOf", " & ")):
        if isinstance(node.get(word), list):
            for number, branch in enumerate(node[word]):
                yield mark if number else ""
                yield from _part(branch, levels - 1, document)
            return
    kind = node.get("type", "object" if "properties" in node else "any")
    if kind == "array":
        yield from _array(node, levels, document)
    elif kind == "object":
        yield from _object(node, levels, document)
    else:
        text = " | ".join(map(str, kind)) if isinstance(kind, list) else str(kind)
        yield f"{text}({node['format']})" if "format" in node else text


def _array(node: dict[str, Any], levels: int, document: Any) -> Iterator[str]:
    prefix, items = node.get("prefixItems", []), node.get("items", True)
    if isinstance(items, list):  # drafts 4 to 7
        prefix, items = items, node.get("additionalItems", True)
    yield "["
    for number, one in enumerate(prefix if items is False else [*prefix, items]):
        yield ", " if number else ""
        yield from _part(one, levels - 1, document)
    yield "" if items is False else ", …"
    yield " all different]" if node.get("uniqueItems") else "]"


def _object(node: dict[str, Any], levels: int, document: Any) -> Iterator[str]:
    properties = node.get("properties")
    required = set(node.get("required", ()))
    if not isinstance(properties, dict):
        properties = {}
    yield "{"
    for number, (name, schema) in enumerate(properties.items()):
        mark = "" if name in required else "?"
        yield f"{', ' if number else ''}{json.dumps(name, ensure_ascii=False)}{mark}: "
        yield from _part(schema, levels - 1, document)
        note = str(schema.get("description", ""))[:NOTE] if isinstance(schema, dict) else ""
        yield f" /* {note} */" if note else ""
    if not properties or int(node.get("minProperties", 0)) > len(properties):
        yield ", " if properties else ""
        yield from _others(node, levels, document)
    yield "}"


def _others(node: dict[str, Any], levels: int, document: Any) -> Iterator[str]:
    """The properties that the schema does not name. No grammar has their names differ."""
    schemas = list(node.get("patternProperties", {}).values())
    if node.get("additionalProperties") is not False or not schemas:
        schemas.append(node.get("additionalProperties", True))
    for number, schema in enumerate(schemas):
        yield " | " if number else '"…": '
        yield from _part(schema, levels - 1, document)
    low = int(node.get("minProperties", 0))
    yield f" /* at least {low} different names */" if low > 1 else ""
