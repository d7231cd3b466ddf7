"""Objects of a canonical schema: what they declare, what they demand, and what else they admit."""

from __future__ import annotations

import json
from typing import Any

from xinghe.generation.structure.canonical import (
    closed_names,
    constants,
    followed,
    listed_names,
    matches,
    merged,
)
from xinghe.generation.structure.refusals import Impossible
from xinghe.generation.structure.strings import disjoint, format_of

FREE_NAME = r'^[^"\\\x00-\x1f\x7f]{1,40}$'
"""A property's name of which the schema says nothing."""
OTHERS = ""
"""In place of a pattern: whatever name is not declared. As a pattern it would say the same."""


def named(node: dict[str, Any], document: Any) -> dict[str, Any]:
    """An object schema whose `propertyNames` refer to nothing."""
    names = node.get("propertyNames")
    if not isinstance(names, dict) or "$ref" not in json.dumps(names):
        return node
    found = [followed(part, document) for part in names.get("allOf", [names])]
    rest = {word: value for word, value in names.items() if word not in ("allOf", "$ref")}
    return node | {"propertyNames": merged([rest, *found], document)}


def declared(node: dict[str, Any], document: Any) -> dict[str, Any]:
    """The schemas of all properties that have a name."""
    names = dict(node.get("properties", {}))
    closed = closed_names(node)
    for name in [*node.get("required", ()), *listed_names(node)]:
        if name not in names:
            patterns = node.get("patternProperties", {}).items()
            fits = [schema for pattern, schema in patterns if matches(pattern, name)]
            other = node.get("additionalProperties", True)
            names[name] = merged(fits, document) if fits else other
    return {name: value for name, value in names.items() if closed is None or name in closed}


def demanded(names: list[str], required: set[str], low: int, high: int) -> dict[str, bool]:
    """The names to keep, and whether to demand each, such that any choice of the others is right.

    Narrower than the schema: the first optional ones are demanded, the last ones left out.
    """
    room, lacking = high - len(required), low - len(required)
    if room < 0:
        raise Impossible("maxProperties", f"is {high}, fewer than the required properties")
    kept: dict[str, bool] = {}
    for name in names:
        if name in required:
            kept[name] = True
        elif room > 0:
            kept[name] = lacking > 0
            room, lacking = room - 1, lacking - 1
    return kept


def free(
    node: dict[str, Any], names: list[str], lacking: int, document: Any
) -> tuple[dict[str, Any], bool]:
    """Schemas of free properties by the pattern of their names, and whether these say all.

    None where the schema forbids them, or says nothing of them beside the declared `names` and
    none is `lacking`. The library takes no two patterns that meet, and none that a declared name
    fits, which has a schema of its own.
    """
    listed = node.get("propertyNames", True)
    if listed is False or closed_names(node) is not None:
        return {}, True
    exact = True
    patterns: dict[str, Any] = node.get("patternProperties", {})
    found: dict[str, Any] = {}
    for pattern, schema in patterns.items():
        meet = [one for one in patterns if one != pattern and not disjoint(one, pattern)]
        if any(one in found for one in meet) or _any_matches(pattern, names):
            continue
        found[pattern] = merged([schema, *(patterns[one] for one in meet)], document)
        exact &= listed is True or _admits(listed, pattern)
    other = node.get("additionalProperties", True)
    said = not names or "additionalProperties" in node
    if patterns or not (said or lacking > 0):
        return found, exact
    for pattern, whole in _patterns(listed):
        if all(disjoint(one, pattern) for one in found):
            clashes = _any_matches(pattern, names)
            exact &= whole and (not clashes or pattern == FREE_NAME)
            found[OTHERS if clashes else pattern] = other
    return found, exact


def _any_matches(pattern: str, names: list[str]) -> bool:
    return any(matches(pattern, name) for name in names)


def _admits(listed: Any, pattern: str) -> bool:
    """Whether `propertyNames` admits whatever fits `pattern`, word for word."""
    branches = listed.get("anyOf", [listed]) if isinstance(listed, dict) else []
    return {"type": "string", "pattern": pattern} in branches


def _patterns(listed: Any) -> list[tuple[str, bool]]:
    """What the names fit that `propertyNames` admits, and whether that says all."""
    found = []
    for branch in [{}] if listed is True else listed.get("anyOf", [listed]):
        if constants(branch):
            continue
        span = f"{{{branch.get('minLength', 1)},{min(branch.get('maxLength', 40), 40)}}}"
        patterns = [branch.get("pattern"), *format_of(branch), FREE_NAME.replace("{1,40}", span)]
        told = next(one for one in patterns if one is not None)
        found.append((told, len(set(branch) - {"type", "maxLength"}) < 2))
    return found
