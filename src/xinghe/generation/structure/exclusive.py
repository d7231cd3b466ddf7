"""Branches of `oneOf` that refer elsewhere, each narrowed until it shares no value with another.

The canonical form makes branches disjoint where it can, but it does not look behind a `$ref`.
Unions of models are mostly told apart by one property (a discriminator, often with a default and
so not demanded), or by what one of them demands: so the one is demanded here, the other left out.
"""

from __future__ import annotations

import json
from typing import Any

from xinghe.generation.structure.canonical import followed, merged
from xinghe.generation.structure.errors import Unsupported
from xinghe.generation.structure.objects import closed_names

CHOICES = ("anyOf", "oneOf")


def without(node: Any, others: list[Any], document: Any) -> Any:
    """`node`, narrowed so that no value fits any of `others`; raises `Unsupported`."""
    for other in others:
        node = _apart(node, other, document)
    return node


def _apart(node: Any, other: Any, document: Any) -> Any:
    node, other = followed(node, document), followed(other, document)
    if not isinstance(node, dict) or not isinstance(other, dict):
        raise Unsupported("oneOf")
    for word in CHOICES:
        if word in node:
            apart = [_apart(branch, other, document) for branch in node[word]]
            return node | {word: apart}
        if word in other:
            return without(node, other[word], document)
    if node.get("type") == other.get("type") == "object":
        return _objects_apart(node, other, document)
    if _disjoint(node, other, document):
        return node
    raise Unsupported("oneOf")


def _objects_apart(node: dict[str, Any], other: dict[str, Any], document: Any) -> Any:
    """The object `node` such that it has, or lacks, what makes it no `other`."""
    mine, theirs = node.get("properties", {}), other.get("properties", {})
    required, demanded = node.get("required", []), other.get("required", [])
    listed, allowed = closed_names(node), closed_names(other)
    if listed is not None and not set(demanded) <= set(listed):
        return node
    if allowed is not None and not set(required) <= set(allowed):
        return node
    # What is demanded already tells best, then what the author wrote first.
    for name in sorted(mine.keys() & theirs.keys(), key=lambda one: one not in required):
        if _disjoint(mine[name], theirs[name], document):
            return _demanding(node, name)
    for name in demanded:
        if name not in required:
            return node | {"properties": mine | {name: False}}
    if allowed is not None and (own := [name for name in mine if name not in allowed]):
        return _demanding(node, own[0])
    raise Unsupported("oneOf")


def _demanding(node: dict[str, Any], name: str) -> dict[str, Any]:
    required = node.get("required", [])
    return node if name in required else node | {"required": [*required, name]}


def _disjoint(one: Any, other: Any, document: Any) -> bool:
    """Whether it is proved that no value fits both."""
    one, other = followed(one, document), followed(other, document)
    if one is False or other is False:
        return True
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    mine, theirs = _constants(one), _constants(other)
    if mine is not None and theirs is not None:
        return mine.isdisjoint(theirs)
    return merged([one, other], document) is False


def _constants(node: dict[str, Any]) -> set[str] | None:
    """The values of an enum or a const as text; canonical, so equal values are equal texts."""
    if "enum" in node:
        return {json.dumps(value, sort_keys=True) for value in node["enum"]}
    return {json.dumps(node["const"], sort_keys=True)} if "const" in node else None
