"""Which keyword rules out every value: a refusal has to say what to change."""

from __future__ import annotations

import copy
import time
from typing import Any

import jsonschema_rs
from jsonschema_rs.canonical import CanonicalizationError, Satisfiability

from xinghe.generation.structure.locate import keywords

SECONDS = 0.2
"""How long is looked for it."""


def contradictory(schema: Any) -> tuple[str, str]:
    """The innermost keyword without which some value fits, and its path; else the whole schema."""
    until = time.monotonic() + SECONDS
    places = [(name, path) for name, _, path in keywords(schema)]
    # Without its type, a part of a schema mostly fits something: that tells nothing.
    for name, path in sorted(places, key=lambda place: (place[0] == "type", -place[1].count("/"))):
        if time.monotonic() > until:
            break
        if _satisfiable(without(schema, path)):
            return name, path
    return "schema", ""


def without(schema: Any, path: str) -> Any:
    """The schema without the keyword at `path`."""
    rest = copy.deepcopy(schema)
    *steps, last = (token.replace("~1", "/").replace("~0", "~") for token in path.split("/")[1:])
    place = rest
    for step in steps:
        place = place[int(step) if isinstance(place, list) else step]
    del place[last]
    return rest


def _satisfiable(schema: Any) -> bool:
    try:
        form = jsonschema_rs.canonicalize(schema, validate_formats=True, offline=True)
    except (jsonschema_rs.ValidationError, CanonicalizationError):
        return False
    return form.satisfiability() is not Satisfiability.NO
