"""Texts that go together from a server to a client: most of a stream is made of them."""

from __future__ import annotations

import msgspec

LONG = 32
"""Characters of a fragment above which it may be more than a token, where nobody can tell."""


class TextRun(msgspec.Struct, frozen=True):
    """Fragments of an answer that came together, each one token, none empty or `LONG`.

    `text` is all of it, and `escaped` the fragments as JSON, as we write it ourselves.
    """

    text: str
    texts: list[str]
    escaped: list[bytes]

    @property
    def tokens(self) -> int:
        return len(self.texts)

    def __add__(self, other: TextRun) -> TextRun:
        return TextRun(
            self.text + other.text, self.texts + other.texts, self.escaped + other.escaped
        )
