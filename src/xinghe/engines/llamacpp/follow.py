"""Proof that a generated text keeps to its grammar.

llama.cpp answers 200 with unconstrained text when llguidance cannot compile a grammar, and says
so only on its standard error. So whoever asked for a constraint follows it: the text is walked
through the same grammar, byte by byte.
"""

from __future__ import annotations

import functools

from llguidance import LLMatcher, LLTokenizer

from xinghe.core import Constraint
from xinghe.engines.protocol import EngineFailed


@functools.cache
def _bytes() -> LLTokenizer:
    """A tokenizer whose tokens are the 256 bytes."""
    return LLTokenizer("byte")


class Follower:
    """Follows one text; without a constraint any text will do."""

    def __init__(self, constraint: Constraint | None) -> None:
        """Raises `EngineFailed` for a grammar that cannot be compiled."""
        self._matcher: LLMatcher | None = None
        if constraint is not None:
            grammar = LLMatcher.grammar_from_lark(constraint.grammar)
            self._matcher = LLMatcher(_bytes(), grammar, log_level=0)
            if self._matcher.is_error():
                raise EngineFailed(f"the grammar does not compile: {self._matcher.get_error()}")

    def follow(self, text: str) -> None:
        """Take the next piece of the text; raises `EngineFailed` where the grammar ends."""
        if self._matcher is None:
            return
        piece = list(text.encode())
        if self._matcher.try_consume_tokens(piece) < len(piece):
            raise EngineFailed("the engine left the grammar that its answer was to keep")
