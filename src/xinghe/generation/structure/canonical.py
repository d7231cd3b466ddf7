"""The algebra of JSON Schema, which jsonschema-rs does for us.

Its canonical form says the same with few keywords: allOf is merged, oneOf becomes anyOf of
disjoint branches, if/then/else and dependent* become anyOf, drafts 4 to 2019-09 their modern
words. What is left of `not`, `oneOf` and the like is what no grammar can say.

It does not look behind a `$ref`, so branches of `oneOf` that refer elsewhere are told apart here.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import jsonschema_rs
from jsonschema_rs.canonical import CanonicalizationError, CanonicalKind, Satisfiability

from xinghe.generation.structure.refusals import (
    Impossible,
    Unguaranteed,
    blamed,
    culprit,
    escaped,
    keywords,
    pointed,
)

DEFINITIONS = ("$schema", "$defs", "definitions")
STEPS = 20
"""References that lead to one another."""
CONTRADICTION_SECONDS = 0.2
"""How long is looked for a contradiction."""
INVALID = (jsonschema_rs.ValidationError, CanonicalizationError)


def canonical(schema: Any) -> Any:
    """The canonical form of a valid schema; raises `Unguaranteed` for an unsatisfiable one."""
    try:
        form = _form(schema)
    except INVALID as error:
        raise Unguaranteed("schema", "", f"cannot be guaranteed: {first_line(error)}") from None
    if form.satisfiability() is Satisfiability.NO:
        keyword, path = _contradictory(schema)
        raise Unguaranteed(keyword, path, "makes the schema unsatisfiable: no value fits it")
    if form.kind is CanonicalKind.RAW:
        view = form.view()
        word, path = _unsaid(schema, getattr(view, "pointer", None) or "")
        raise Unguaranteed(word, path, f"cannot be guaranteed ({getattr(view, 'reason', '')})")
    return form.to_json_schema()


def merged(schemas: list[Any], document: Any) -> Any:
    """What all of `schemas` (parts of the canonical `document`) admit; `False` for nothing."""
    whole: dict[str, Any] = {"allOf": schemas}
    if isinstance(document, dict):
        whole |= {word: document[word] for word in DEFINITIONS if word in document}
    form = _form(whole)
    if form.satisfiability() is Satisfiability.NO:
        return False
    return undefined(form.to_json_schema())


def undefined(schema: Any) -> Any:
    """A part of a canonical schema without the definitions that it carries along.

    And without a type beside values that are all of it: of draft 4, where 1.0 is no integer, the
    library keeps both.
    """
    if not isinstance(schema, dict):
        return schema
    without = (*DEFINITIONS, "type") if constants(schema) else DEFINITIONS
    return {word: value for word, value in schema.items() if word not in without}


def matches(pattern: str, name: str) -> bool:
    """Whether a property's name fits a pattern, as validation will see it."""
    return jsonschema_rs.is_valid({"pattern": pattern}, name, offline=True)


def target(reference: str, document: Any) -> Any:
    """What a `$ref` within the canonical document points to."""
    found = pointed(unquote(reference.removeprefix("#")), document)
    if found is None:
        raise KeyError(reference)
    return found


def followed(node: Any, document: Any) -> Any:
    """What a part of the canonical `document` is, where it is but a reference.

    Raises `Impossible` for one that leads back to itself.
    """
    for _ in range(STEPS):
        if not isinstance(node, dict) or set(node) != {"$ref"}:
            return node
        node = target(node["$ref"], document)
    raise Impossible("$ref", "never ends")


def first_line(error: Exception) -> str:
    """The first line of what went wrong, cut to 300 characters."""
    return str(error).partition("\n")[0][:300]


def listed_names(node: dict[str, Any]) -> list[str]:
    """All names that an object's `propertyNames` list, beside others or not."""
    names = node.get("propertyNames", True)
    branches = names.get("anyOf", [names]) if isinstance(names, dict) else []
    lists = [branch.get("enum", [branch.get("const")]) for branch in branches if constants(branch)]
    return [name for one in lists for name in one]


def closed_names(node: dict[str, Any]) -> list[str] | None:
    """All names that an object may use, where they are listed."""
    names = node.get("propertyNames", True)
    if not isinstance(names, dict) or not constants(names):
        return [] if names is False else None
    return listed_names(node)


def constants(node: dict[str, Any]) -> bool:
    """Whether a schema lists its values."""
    return bool({"enum", "const"} & set(node))


def apart(node: Any, other: Any, document: Any) -> Any:
    """`node`, narrowed so that no value of it fits `other`; `None` where that is not found.

    Unions of models mostly differ in one property (a discriminator, often with a default and so
    not demanded), or in what one of them demands: so the one is demanded, the other left out.
    """
    node, other = followed(node, document), followed(other, document)
    if _disjoint(node, other, document):
        return node
    for word in ("anyOf", "oneOf"):
        if isinstance(node, dict) and word in node:
            branches = [apart(branch, other, document) for branch in node[word]]
            return None if None in branches else node | {word: branches}
        if isinstance(other, dict) and word in other:
            for branch in other[word]:
                node = None if node is None else apart(node, branch, document)
            return node
    objects = all(isinstance(one, dict) and one.get("type") == "object" for one in (node, other))
    return _objects_apart(node, other, document) if objects else None


def _objects_apart(node: dict[str, Any], other: dict[str, Any], document: Any) -> Any:
    mine, theirs = node.get("properties", {}), other.get("properties", {})
    required, allowed = node.get("required", []), closed_names(other)
    # What is demanded already tells best.
    shared = sorted(set(mine) & set(theirs), key=lambda one: (one not in required, one))
    telling = [name for name in shared if _disjoint(mine[name], theirs[name], document)]
    telling += [name for name in mine if allowed is not None and name not in allowed]
    left = [name for name in other.get("required", []) if name not in required]
    if telling and (telling[0] in shared or not left):
        return node | {"required": list(dict.fromkeys([*required, telling[0]]))}
    return node | {"properties": mine | {left[0]: False}} if left else None


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


def _form(schema: Any) -> jsonschema_rs.CanonicalSchema:
    return jsonschema_rs.canonicalize(schema, validate_formats=True, offline=True)


def _contradictory(schema: Any) -> tuple[str, str]:
    """The innermost keyword without which some value fits, and its path; else the whole schema."""
    places = [(name, path) for name, _, path in keywords(schema)]
    # Without its type, a part of a schema mostly fits something: that tells nothing.
    places.sort(key=lambda place: (place[0] == "type", -place[1].count("/")))
    found = blamed(schema, places, _satisfiable, CONTRADICTION_SECONDS)
    return found or ("schema", "")


def _unsaid(schema: Any, place: str) -> tuple[str, str]:
    """The keyword of what has no canonical form, and its path; else the place, where one is known.

    A place may be a keyword's, or that of a part under a name of the author's.
    """
    found = list(keywords(schema))
    own = [name for name, _, path in found if path == place]
    if own:
        return own[0], place
    within = [name for name, _, path in found if path == f"{place}/{escaped(name)}"]
    within.sort(key=lambda name: name == "$schema")  # another dialect asks for less
    return culprit(schema, within, _sayable) or ("schema", place)


def _sayable(schema: Any) -> bool:
    try:
        return _form(schema).kind is not CanonicalKind.RAW
    except INVALID:
        return False


def _satisfiable(schema: Any) -> bool:
    try:
        return _form(schema).satisfiability() is not Satisfiability.NO
    except INVALID:
        return False
