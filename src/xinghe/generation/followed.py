"""Proof that a generated text keeps to its grammar.

llama.cpp answers 200 with unconstrained text when llguidance cannot compile a grammar, and says
so only on its standard error. So whoever asked for a constraint follows it: the text is walked
through the same grammar, byte by byte, in a worker.
"""

from __future__ import annotations

import itertools
from typing import Protocol

from xinghe.core import Delta, TextDelta
from xinghe.generation.stage import Unkept

_numbers = itertools.count()


class Walker(Protocol):
    """Walks texts through grammars; `Vetting` is one."""

    async def walk(self, key: str, grammar: str, start: int, text: bytes, account: str) -> bool:
        """Whether `text`, of which `start` bytes are known, keeps to `grammar`."""
        ...


class Followed:
    """Lets pass what keeps to a grammar, piece by piece; raises `Unkept` and `Unverified`."""

    def __init__(self, grammar: str, walker: Walker, account: str) -> None:
        self._grammar = grammar
        self._walker = walker
        self._account = account
        self._key = f"text {next(_numbers)}"
        self._text = b""

    async def __call__(self, deltas: list[Delta]) -> list[Delta]:
        piece = "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)).encode()
        if piece:
            known = len(self._text)
            self._text += piece
            if not await self._walker.walk(
                self._key, self._grammar, known, self._text, self._account
            ):
                raise Unkept
        return deltas
