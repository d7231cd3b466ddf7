"""Texts on their way through their grammars, byte by byte."""

from __future__ import annotations

from collections import OrderedDict

from llguidance import LLMatcher, LLTokenizer

from xinghe.generation.structure import Unguaranteed
from xinghe.generation.vetting.wire import Walk, Walked

MOST, CHARACTERS = 64, 2_000_000
"""Texts that are known at a time, and characters of their grammars.

One that was forgotten is walked again from its beginning.
"""
UNKNOWN = Walked(-1, kept=True)


class Walks:
    """The texts that this worker knows, and how far each has come."""

    def __init__(self) -> None:
        self._bytes = LLTokenizer("byte")
        """A tokenizer whose tokens are the 256 bytes."""
        self._known: OrderedDict[str, tuple[LLMatcher, int, int]] = OrderedDict()

    def walk(self, walk: Walk) -> Walked:
        """Raises `Unguaranteed` for a grammar that cannot be compiled."""
        if walk.key not in self._known:
            if not walk.grammar:
                return UNKNOWN
            self._known[walk.key] = self._begun(walk.grammar), 0, len(walk.grammar)
            self._forget()
        self._known.move_to_end(walk.key)
        matcher, known, size = self._known[walk.key]
        if known < walk.start:
            return Walked(known, kept=True)  # the other worker has walked on
        piece = list(walk.text[known - walk.start :])
        kept = matcher.try_consume_tokens(piece) == len(piece)
        if kept:
            self._known[walk.key] = matcher, known + len(piece), size
        else:
            del self._known[walk.key]
        return Walked(known + len(piece), kept=kept)

    def _forget(self) -> None:
        held = sum(size for _, _, size in self._known.values())
        while len(self._known) > MOST or (held > CHARACTERS and len(self._known) > 1):
            _, (_, _, size) = self._known.popitem(last=False)
            held -= size

    def _begun(self, grammar: str) -> LLMatcher:
        matcher = LLMatcher(self._bytes, LLMatcher.grammar_from_lark(grammar), log_level=0)
        if matcher.is_error():
            raise Unguaranteed("schema", "", "has a grammar that does not compile")
        return matcher
