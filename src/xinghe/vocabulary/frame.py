"""A text that was cut, as one request to llama.cpp's `/tokenize`, and one list of tokens again."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from xinghe.vocabulary.file import APART

PROBES: tuple[tuple[str, bool], ...] = (("a", True), ("a", False), ("\n", False), ("\na", False))
"""What to have tokenized, and whether with the tokens around a prompt, to make a `Frame`."""


class Frame(msgspec.Struct, frozen=True):
    """What a tokenizer puts around a text.

    `before` and `after` stand around a whole prompt. `newline` is set for tokenizers that begin
    every text with a space: a piece is given to them behind a line break, which is dropped again.
    """

    before: list[int]
    after: list[int]
    newline: list[int]

    @classmethod
    def of(cls, probes: Sequence[list[int]]) -> Frame:
        """From the tokens of `PROBES`."""
        whole, alone, newline, behind = probes
        at = next(
            (
                at
                for at in range(len(whole) - len(alone) + 1)
                if whole[at : at + len(alone)] == alone
            ),
            0,
        )
        spaced = behind[: len(newline)] == newline and behind[len(newline) :] != alone
        return cls(whole[:at], whole[at + len(alone) :], newline if spaced else [])

    def content(self, pieces: Sequence[str]) -> list[str | int]:
        """What to send, without the tokens around a prompt, to be read as `tokens`."""
        first, *rest = pieces
        if not self.newline:
            return [first, *rest]
        return [first, *(each for piece in rest for each in (APART, f"\n{piece}"))]

    def tokens(self, tokens: Sequence[int]) -> list[int]:
        """The tokens of the prompt."""
        out, at = list(self.before), 0
        while at < len(tokens):
            if tokens[at] == APART:
                at += 1
                if list(tokens[at : at + len(self.newline)]) == self.newline:
                    at += len(self.newline)
                continue
            out.append(tokens[at])
            at += 1
        return out + self.after
