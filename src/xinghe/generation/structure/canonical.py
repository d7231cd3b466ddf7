"""The algebra of JSON Schema, which jsonschema-rs does for us.

Its canonical form says the same with few keywords: allOf is merged, oneOf becomes anyOf of
disjoint branches, if/then/else and dependent* become anyOf, drafts 4 to 2019-09 their modern
words. What is left of `not`, `oneOf` and the like is what no grammar can say.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import jsonschema_rs
from jsonschema_rs.canonical import CanonicalizationError, CanonicalKind, Satisfiability

from xinghe.generation.structure.blame import culprit
from xinghe.generation.structure.contradiction import contradictory
from xinghe.generation.structure.errors import Impossible, Unguaranteed
from xinghe.generation.structure.locate import escaped, keywords

DEFINITIONS = ("$schema", "$defs", "definitions")
STEPS = 20
"""References that lead to one another."""
EXTERNAL = ("$ref", "$dynamicRef", "$recursiveRef")


def validator(schema: Any) -> jsonschema_rs.Validator:
    """What decides whether an answer fits; raises `Unguaranteed` for an invalid schema."""
    try:
        return jsonschema_rs.validator_for(schema, validate_formats=True, offline=True)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        keyword, path = _blamed(schema, getattr(error, "instance_path", []))
        raise Unguaranteed(keyword, path, f"is invalid: {first_line(error)}") from None


def canonical(schema: Any) -> Any:
    """The canonical form of a valid schema; raises `Unguaranteed` for an unsatisfiable one."""
    try:
        form = jsonschema_rs.canonicalize(schema, validate_formats=True, offline=True)
    except (jsonschema_rs.ValidationError, CanonicalizationError) as error:
        raise Unguaranteed("schema", "", f"cannot be guaranteed: {first_line(error)}") from None
    if form.satisfiability() is Satisfiability.NO:
        keyword, path = contradictory(schema)
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
    form = jsonschema_rs.canonicalize(whole, validate_formats=True, offline=True)
    if form.satisfiability() is Satisfiability.NO:
        return False
    result = form.to_json_schema()
    if isinstance(result, dict):
        result = {word: value for word, value in result.items() if word not in DEFINITIONS}
    return result


def matches(pattern: str, name: str) -> bool:
    """Whether a property's name fits a pattern, as validation will see it."""
    return jsonschema_rs.is_valid({"pattern": pattern}, name, offline=True)


def target(reference: str, document: Any) -> Any:
    """What a `$ref` within the canonical document points to."""
    found = document
    for token in unquote(reference.removeprefix("#")).split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        found = found[int(name) if isinstance(found, list) else name]
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


def _blamed(schema: Any, instance_path: list[Any]) -> tuple[str, str]:
    """The keyword of a fault that has a place, else the reference that leads nowhere."""
    if instance_path:
        words = [step for step in instance_path if isinstance(step, str)]
        return words[-1], "".join(f"/{escaped(str(step))}" for step in instance_path)
    return culprit(schema, (*EXTERNAL, "$schema"), _readable) or ("schema", "")


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
        form = jsonschema_rs.canonicalize(schema, validate_formats=True, offline=True)
    except (jsonschema_rs.ValidationError, CanonicalizationError):
        return False
    return form.kind is not CanonicalKind.RAW


def _readable(schema: Any) -> bool:
    try:
        jsonschema_rs.validator_for(schema, validate_formats=True, offline=True)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
        return False
    return True


def first_line(error: Exception) -> str:
    """The first line of what went wrong, cut to 300 characters."""
    return str(error).partition("\n")[0][:300]
