"""Why a schema is refused, and which of its keywords is to blame.

A keyword is named only where it is known to be at fault: where the schema works without it.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

SECONDS = 0.3
"""How long is looked for what is to blame."""
NAMED = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"}
)
"""Keywords whose value maps names of the author's own to schemas."""
VALUES = frozenset({"const", "enum", "default", "examples", "example"})
"""Keywords whose value is data and no schema."""


class Unguaranteed(Exception):
    """An answer that holds to the schema cannot be promised.

    `keyword` is the keyword to blame, `path` a JSON Pointer into the schema as it was sent, and
    `reason` a phrase that says what is wrong, with the value and the limit. Where it is not
    `known` which keyword is to blame, it stands for the whole.
    """

    def __init__(self, keyword: str, path: str, reason: str) -> None:
        super().__init__(f"'{keyword}' at '{path or '/'}' {reason}")
        self.known = keyword not in ("schema", "tools")
        self.keyword = keyword
        self.path = path
        self.reason = reason


class NoGrammar(Exception):
    """This part of a schema has no grammar, because of `keyword`."""

    def __init__(self, keyword: str, reason: str = "cannot be guaranteed") -> None:
        super().__init__(reason)
        self.keyword = keyword
        self.reason = reason


class Impossible(NoGrammar):
    """No text fits: an optional part is left out, a required one refused."""


class Unsupported(NoGrammar):
    """No grammar can say what the schema does."""


def keywords(schema: Any, path: str = "") -> Iterator[tuple[str, Any, str]]:
    """Every keyword of a schema and of its subschemas: its name, value and JSON Pointer."""
    if isinstance(schema, list):
        for number, item in enumerate(schema):
            yield from keywords(item, f"{path}/{number}")
    if not isinstance(schema, dict):
        return
    for name, value in schema.items():
        here = f"{path}/{escaped(name)}"
        yield name, value, here
        if name in VALUES:
            continue
        if name in NAMED and isinstance(value, dict):
            for key, item in value.items():
                yield from keywords(item, f"{here}/{escaped(key)}")
        else:
            yield from keywords(value, here)


def escaped(name: str) -> str:
    """A name as a token of a JSON Pointer (RFC 6901 §3)."""
    return name.replace("~", "~0").replace("/", "~1")


def pointed(pointer: str, document: Any) -> Any:
    """What a JSON Pointer leads to, `None` where that is nothing."""
    found = document
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        try:
            found = found[int(name) if isinstance(found, list) else name]
        except (LookupError, ValueError, TypeError):
            return None
    return found


def culprit(
    schema: Any, words: Sequence[str], works: Callable[[Any], bool]
) -> tuple[str, str] | None:
    """The first keyword of `words` without which the schema `works`, and its path.

    `None` where none is found in time, or more than one is to blame.
    """
    places = [(name, path) for name, _, path in keywords(schema) if name in words]
    return blamed(schema, sorted(places, key=lambda place: words.index(place[0])), works)


def blamed(
    schema: Any,
    places: Iterable[tuple[str, str]],
    works: Callable[[Any], bool],
    seconds: float = SECONDS,
) -> tuple[str, str] | None:
    """The first of `places` (a keyword and its path) without which the schema `works`."""
    until = time.monotonic() + seconds
    for name, path in places:
        if time.monotonic() > until:
            break
        rest = copy.deepcopy(schema)
        above, _, _ = path.rpartition("/")
        del pointed(above, rest)[name]
        if works(rest):
            return name, path
    return None
