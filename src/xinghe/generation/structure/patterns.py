"""Questions about regular expressions, answered by the library that will hold to them."""

from __future__ import annotations

from llguidance import LLMatcher

from xinghe.generation.structure.errors import Impossible, Unsupported
from xinghe.generation.structure.expression import parsed
from xinghe.generation.structure.lark import Lark
from xinghe.generation.structure.strings import Text, room

LONG = 200
"""Characters of the texts that are thought of."""


def held(pattern: str) -> bool:
    """Whether a grammar can hold to a pattern, and some text fits it."""
    try:
        return room((parsed(pattern),)) > 0
    except Unsupported:
        return False


def disjoint(first: str, second: str) -> bool:
    """Whether it is proved that no text fits both patterns; `False` where it is not known."""
    try:
        return "Regex is empty" in _failure(Text(0, LONG, (parsed(first), parsed(second))))
    except Impossible:
        return True
    except Unsupported:
        return False


def _failure(wanted: Text) -> str:
    lark = Lark()
    return str(
        LLMatcher.validate_grammar(LLMatcher.grammar_from_lark(lark.text(wanted.rule(lark))))
    )
