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
MEETING, SOUGHT = 64, 2
"""Characters of a text with several expressions, unless the schema asks for more, and expressions
that may be found anywhere in one: with more the engine's lexer gives up and keeps to nothing."""
BARRED = 500
"""Characters of all texts that must not be, which an expression is made of."""
NOTHING = "Regex is empty"
"""What the library says where no text fits."""
_HAN = r"\u{4e00}-\u{9fff}"
_WORD = f"[0-9A-Za-z{_HAN}]"
NARROWER: tuple[tuple[str, ...], ...] = (
    (), (_WORD,), (f"^{_WORD}",), (f"^[A-Za-z{_HAN}]",), (f"^[!-~{_HAN}]*$",),
    (rf"^(?:{_WORD}+[ -/:-@\[-`{{-~]?)*$",),
)  # fmt: skip
"""What texts are narrowed to, in turn, until none is left that begins with what it must not."""
LENGTHS = (24, 48, 96, 192, 384, 768, 1536)


def text(node: dict[str, Any], tokens: float) -> tuple[dict[str, Any], bool]:
    """A string of a bounded length, and whether it says all that a canonical schema does.

    `tokens` bound what is unbounded. Raises `NoGrammar`.
    """
    parts = [node, *node.get("allOf", [])]
    if extra := {word for part in parts for word in part} - STRING:
        raise Unsupported(min(extra))
    patterns = [written(part["pattern"]) for part in parts if "pattern" in part]
    others = [part["not"] for part in parts if "not" in part]
    values = [value for one in others for value in one.get("enum", [one.get("const")])]
    texts = [value for value in values if isinstance(value, str)]
    few = sum(map(len, texts)) <= BARRED
    exact = few and all(set(one) <= {"const", "enum"} for one in others)
    exact = exact and all(pattern.exact for pattern in patterns)
    found = tuple(one for pattern in patterns for one in pattern.expressions)
    if texts and few:
        found += (other_than(texts),)
    formats = tuple(one for part in parts for one in format_of(part))
    fault = _fault(found + formats, LENGTHS[0]) if found and formats else ""
    if fault and NOTHING not in fault:
        formats, exact = (), False  # where they meet is more than the library can tell
    found += formats
    for barred in (one for pattern in patterns for one in pattern.barred):
        without = _without(barred, found)
        exact = exact and without is not None
        found = without or found
    sought = [one for one in found if not (one.startswith("^") and one.endswith("$"))]
    if len(sought) > SOUGHT:
        exact, found = False, tuple(one for one in found if one not in sought[SOUGHT:])
    low = int(node.get("minLength", 0))
    bound = int(min(max(tokens * CHARACTERS_A_TOKEN, SHORTEST), LONGEST))
    if found:
        kept, length = _together(found, next((p["pattern"] for p in parts if "pattern" in p), ""))
        exact, found = exact and kept == found, kept
        bound = min(bound, MEETING) if len(found) > 1 else int(bound * DENSE)
        bound = max(bound, length)
    high = min(int(node.get("maxLength", 2 * LONGEST)), max(bound, 2 * low))
    high = _most(found, low, high) if found else high
    if low > high:
        raise Impossible("minLength", f"is more than the maxLength {high}")
    while len(found) > 1 and (fault := _fault(found, high, low)) and NOTHING not in fault:
        exact, found = False, found[:-1]  # as above: of a long text less can be told
    return _string(found, low, high), exact


def format_of(part: dict[str, Any]) -> tuple[str, ...]:
    """The regular expression of a part's format; none where any text will do."""
    name = part.get("format")
    if name is None or name in FREE:
        return ()
    if name not in FORMATS:
        raise Unsupported("format", f"is {name!r}, which is not one of {', '.join(FORMATS)}")
    return (f"^(?:{FORMATS[name]})$",)


def _together(expressions: tuple[str, ...], pattern: str) -> tuple[tuple[str, ...], int]:
    """As many of them, from the first on, as the library can tell of together.

    And characters among which there is a text with them. `pattern` is the first as it was sent.
    Raises `NoGrammar`.
    """
    while not (length := _length_for(expressions)):
        if NOTHING in _fault(expressions, LENGTHS[-1]):
            raise Impossible("pattern", "leaves no text that fits")
        if len(expressions) == 1:
            raise Unsupported("pattern", f"is {pattern[:100]!r}, which no grammar can hold")
        expressions = expressions[:-1]
    return expressions, length


def _without(barred: str, found: tuple[str, ...]) -> tuple[str, ...] | None:
    """Expressions for some texts of `found` none of which has what is `barred`, if proved."""
    for narrower in NARROWER:
        told = found + narrower
        parts = [told, *((one,) for one in told)]  # of one alone it may be told more easily
        if any(NOTHING in _fault((*part, barred)) for part in parts) and _length_for(told):
            return told
    return None


def _most(expressions: tuple[str, ...], low: int, high: int) -> int:
    """The most characters, up to `high`, among which the library is sure of a text."""
    lengths = [high, *(one for one in reversed(LENGTHS) if low <= one < high)]
    return next((one for one in lengths if not _fault(expressions, one)), high)


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
    return NOTHING in _fault(both)


@lru_cache(maxsize=256)
def _fault(expressions: tuple[str, ...], length: int | None = None, low: int = 0) -> str:
    return grammar_fault(grammar_of(_string(expressions, low, length)))


def _string(expressions: tuple[str, ...], low: int, high: int | None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "minLength": low}
    schema |= {} if high is None else {"maxLength": high}
    return schema | ({"allOf": [{"pattern": one} for one in expressions]} if expressions else {})
