"""Which keyword is to blame: named only where it is known, as the schema works without it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from xinghe.generation.structure.contradiction import without
from xinghe.generation.structure.locate import keywords

SECONDS = 0.3
"""How long is looked for it."""
REWRITTEN = ("not", "oneOf", "if", "dependentSchemas", "dependencies", "unevaluatedProperties")
"""Where a residue that cannot be said may have come from, likeliest first."""


def culprit(
    schema: Any, words: Sequence[str], works: Callable[[Any], bool], budget: float = SECONDS
) -> tuple[str, str] | None:
    """The first keyword of `words` without which the schema `works`, and its path.

    `None` where none is found within `budget` seconds, or more than one is to blame.
    """
    until = time.monotonic() + budget
    places = [(name, path) for name, _, path in keywords(schema) if name in words]
    for name, path in sorted(places, key=lambda place: words.index(place[0])):
        if time.monotonic() > until:
            return None
        if works(without(schema, path)):
            return name, path
    return None
