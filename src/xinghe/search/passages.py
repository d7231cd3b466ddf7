"""A text in passages: small enough to choose among, large enough to make sense alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

PASSAGE_CHARACTERS = 400
"""About; a passage ends with a paragraph or a sentence where there is one."""

_HEADING = re.compile(r"^#{1,6} +(.+?)[ #]*$")
_FENCE = re.compile(r"^ {0,3}(```|~~~)")
_END = re.compile(r"[。!?!?;;\n]|\.\s")


class Passage(msgspec.Struct, frozen=True):
    """A piece of a text and the Markdown headings that it stands under."""

    heading: str
    text: str


def passages(text: str, size: int = PASSAGE_CHARACTERS) -> list[Passage]:
    """Cut a text; joined again, the pieces are the text."""
    found: list[Passage] = []
    for heading, section in _sections(text):
        found += [Passage(heading, piece) for piece in _pieces(section, size)]
    return found


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """The text cut before its Markdown headings, each part with the titles above it."""
    path: list[str] = []
    lines: list[str] = []
    fence: str | None = None
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if mark is not None:
            fence = None if fence == mark[1] else fence or mark[1]
        heading = None if fence else _HEADING.match(line.rstrip())
        if heading is not None:
            if lines:
                yield " / ".join(path), "".join(lines)
            level = line.index(" ")
            path = [*path[: level - 1], heading[1]]
            lines = []
        lines.append(line)
    if lines:
        yield " / ".join(path), "".join(lines)


def _pieces(text: str, size: int) -> Iterator[str]:
    while len(text) > size * 3 // 2:
        ends = [match.end() for match in _END.finditer(text, size // 2, size)]
        blank = text.rfind("\n\n", size // 2, size)
        cut = blank + 2 if blank >= 0 else (ends[-1] if ends else size)
        yield text[:cut]
        text = text[cut:]
    if text:
        yield text
