"""A program to paste, as the macros of `snippets.html` show it."""

from __future__ import annotations

import msgspec


class Snippet(msgspec.Struct, frozen=True):
    """`before` is what has to be installed, if anything."""

    id: str
    title: str
    before: str
    text: str
