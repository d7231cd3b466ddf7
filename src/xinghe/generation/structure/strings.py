"""Strings: what a canonical schema asks of one, and the two ways to write it in a grammar."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec
from llguidance import LLMatcher

from xinghe.generation.structure.errors import Impossible, Unsupported
from xinghe.generation.structure.expression import Sequence, parsed, plain
from xinghe.generation.structure.formats import FORMATS, FREE
from xinghe.generation.structure.lark import CHARACTER, Lark, literal
from xinghe.generation.structure.lookahead import LONG, PLAIN, matching, tried
from xinghe.generation.structure.size import text_bound

STRING = frozenset({"type", "minLength", "maxLength", "pattern", "format", "allOf", "not"})
LIMITLESS = 10**9
DENSE = 2 / 3
"""The part of an ordinary text's length that a text with a pattern may have."""
ROOMS = (24, 48, 96, 192, 384, 768, 1536)


class Text(msgspec.Struct, frozen=True):
    """A string of `low` to `high` characters in which all `patterns` are found and no `barred`
    one, and which is none of the literals `taken`."""

    low: int
    high: int
    patterns: tuple[tuple[Sequence, ...], ...] = ()
    barred: tuple[tuple[Sequence, ...], ...] = ()
    taken: tuple[str, ...] = ()

    def leaf(self) -> dict[str, Any] | None:
        """As a schema for the JSON compiler; `None` where that cannot say it."""
        plains = [plain(pattern) for pattern in self.patterns]
        if self.barred or self.taken or None in plains:
            return None
        schema: dict[str, Any] = {
            "type": "string", "minLength": self.low, "maxLength": self.high,
        }  # fmt: skip
        return schema | ({"allOf": [{"pattern": one} for one in plains]} if plains else {})

    def terminal(self) -> str:
        """As a terminal's body; beside patterns, without characters that JSON must escape.

        Raises `Impossible` and `Unsupported`.
        """
        if not self.patterns and not self.barred:
            return plain_text(self.low, self.high, self.taken)
        high = min(self.high, max(LONG, 2 * self.low))
        parts = [f'/"{PLAIN}{{{self.low},{high}}}"/']
        parts += [f'("\\"" {matching(pattern)})' for pattern in self.patterns]
        parts += [f'~("\\"" {matching(pattern)})' for pattern in self.barred]
        body = " & ".join([*parts, *_none_of(self.taken)])
        tried(body)
        return body

    def rule(self, lark: Lark) -> str:
        """The name of a rule for it."""
        leaf = self.leaf()
        return lark.terminal(self.terminal()) if leaf is None else lark.leaf(leaf)

    def possible(self) -> bool:
        """Whether a grammar can hold to it, and some text fits."""
        lark = Lark()
        try:
            grammar = lark.text(self.rule(lark))
        except (Impossible, Unsupported):
            return False
        return not LLMatcher.validate_grammar(LLMatcher.grammar_from_lark(grammar))


def text(node: dict[str, Any], tokens: float) -> Text:
    """What a canonical string schema asks for; `tokens` bound what is unbounded.

    Raises `Impossible` and `Unsupported`.
    """
    if extra := set(node) - STRING:
        raise Unsupported(min(extra))
    low = int(node.get("minLength", 0))
    parts = [node, *node.get("allOf", [])]
    barred: list[tuple[Sequence, ...]] = []
    taken: list[str] = []
    for part in parts:
        excluded = part.get("not", {})
        if set(excluded) - {"const", "enum", "pattern"} or len(excluded) > 1:
            raise Unsupported("not")
        if "pattern" in excluded:
            barred.append(parsed(excluded["pattern"], wide=True))
        elif excluded:
            values = excluded.get("enum", [excluded.get("const")])
            taken += [literal(value) for value in values if isinstance(value, str)]
    patterns = tuple(parsed(pattern) for part in parts for pattern in _patterns(part))
    # What a pattern repeats may be digits, each a token, and no small model stops by itself.
    bound = max(int(text_bound(tokens) * DENSE), room(patterns)) if patterns else text_bound(tokens)
    high = min(int(node.get("maxLength", LIMITLESS)), max(bound, 2 * low))
    if low > high:
        raise Impossible("minLength", f"is more than the maxLength {high}")
    return Text(low, high, patterns, tuple(barred), tuple(taken))


@lru_cache(maxsize=256)
def room(patterns: tuple[tuple[Sequence, ...], ...]) -> int:
    """Characters among which there is a text with all patterns; 0 if none is found."""
    return next((length for length in ROOMS if Text(0, length, patterns).possible()), 0)


def plain_text(low: int, high: int, taken: tuple[str, ...] = ()) -> str:
    """A terminal for `low` to `high` characters that are none of the literals `taken`."""
    return " & ".join([f'/"{CHARACTER}{{{low},{high}}}"/', *_none_of(taken)])


def _none_of(taken: tuple[str, ...]) -> list[str]:
    return [f"~({' | '.join(taken)})"] if taken else []


def _patterns(part: dict[str, Any]) -> Iterator[str]:
    """The regular expressions of a part, its format's among them."""
    if extra := set(part) - STRING:
        raise Unsupported(min(extra))
    if "pattern" in part:
        yield part["pattern"]
    name = part.get("format")
    if name is None or name in FREE:
        return
    if name not in FORMATS:
        raise Unsupported("format", f"is {name!r}, which is not one of {', '.join(FORMATS)}")
    yield f"^(?:{FORMATS[name]})$"
