"""Strings: what a canonical schema asks of one, as the library takes it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from xinghe.generation.structure.formats import FORMATS, FREE
from xinghe.generation.structure.library import grammar_fault, grammar_of
from xinghe.generation.structure.patterns import other_than, written
from xinghe.generation.structure.refusals import Impossible, Unsupported

STRING = frozenset({"type", "minLength", "maxLength", "pattern", "format", "allOf", "not"})
CHARACTERS_A_TOKEN = 1.5
SHORTEST, LONGEST = 24, 20_000
"""Characters that an unbounded string may have, at least and at most."""
DENSE = 2 / 3
"""The part of an ordinary text's length that a text with a pattern may have: what one repeats may
be digits, each a token, and no small model stops by itself."""
BARRED = 500
"""Characters of all texts that must not be, which an expression is made of."""
NOTHING = "Regex is empty"
"""What the library says where no text fits."""
LENGTHS = (24, 48, 96, 192, 384, 768, 1536)


def text(node: dict[str, Any], tokens: float) -> tuple[dict[str, Any], bool]:
    """A string of a bounded length, and whether it says all that a canonical schema does.

    `tokens` bound what is unbounded. Raises `NoGrammar`.
    """
    parts = [node, *node.get("allOf", [])]
    if extra := {word for part in parts for word in part} - STRING:
        raise Unsupported(min(extra))
    patterns = [written(part["pattern"]) for part in parts if "pattern" in part]
    exact = all(pattern.exact for pattern in patterns)
    barred = [one["not"] for one in parts if "not" in one]
    values = [value for one in barred for value in one.get("enum", [one.get("const")])]
    texts = [value for value in values if isinstance(value, str)]
    exact = exact and all(set(one) <= {"const", "enum"} for one in barred)
    exact = exact and sum(map(len, texts)) <= BARRED
    found = tuple(one for pattern in patterns for one in pattern.expressions)
    if texts and sum(map(len, texts)) <= BARRED:
        found += (other_than(texts),)
    formats = tuple(one for part in parts for one in format_of(part))
    fault = _fault(found + formats, LENGTHS[-1]) if found and formats else ""
    if fault and NOTHING not in fault:
        formats, exact = (), False  # where they meet is more than the library can tell
    found += formats
    low = int(node.get("minLength", 0))
    bound = int(min(max(tokens * CHARACTERS_A_TOKEN, SHORTEST), LONGEST))
    if found:
        length = _length_for(found)
        if not length:
            raise Impossible("pattern", "leaves no text that fits")
        bound = max(int(bound * DENSE), length)
    high = min(int(node.get("maxLength", 2 * LONGEST)), max(bound, 2 * low))
    if low > high:
        raise Impossible("minLength", f"is more than the maxLength {high}")
    return _string(found, low, high), exact


def format_of(part: dict[str, Any]) -> tuple[str, ...]:
    """The regular expression of a part's format; none where any text will do."""
    name = part.get("format")
    if name is None or name in FREE:
        return ()
    if name not in FORMATS:
        raise Unsupported("format", f"is {name!r}, which is not one of {', '.join(FORMATS)}")
    return (f"^(?:{FORMATS[name]})$",)


def _length_for(expressions: tuple[str, ...]) -> int:
    """Characters among which there is a text with all of them; 0 if none is found."""
    return next((length for length in LENGTHS if not _fault(expressions, length)), 0)


def held(pattern: str) -> bool:
    """Whether a grammar can hold to a pattern, and some text fits it."""
    try:
        return _length_for(written(pattern).expressions) > 0
    except Unsupported:
        return False


def disjoint(first: str, second: str) -> bool:
    """Whether it is proved that no text fits both patterns; `False` where it is not known."""
    try:
        both = written(first).expressions + written(second).expressions
    except Unsupported:
        return False
    return NOTHING in _fault(both, LENGTHS[3])


@lru_cache(maxsize=256)
def _fault(expressions: tuple[str, ...], length: int) -> str:
    return grammar_fault(grammar_of(_string(expressions, 0, length)))


def _string(expressions: tuple[str, ...], low: int, high: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "minLength": low, "maxLength": high}
    return schema | ({"allOf": [{"pattern": one} for one in expressions]} if expressions else {})
