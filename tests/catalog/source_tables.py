"""Sections 2.1–2.6 of the source, read out of its own text (`source_section_2.md`, verbatim)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

TEXT = (Path(__file__).parent / "source_section_2.md").read_text("utf-8")
SECTION = re.compile(r"^(2\.\d) ", re.MULTILINE)


class ChatRow(NamedTuple):
    """One row of 2.1–2.3, in tokens; no smallest output where the source gives none."""

    title: str
    model: str
    context: int
    max_input: int
    output_min: int | None
    output_max: int
    output_default: int
    reasoning_max: int


def tokens(text: str) -> int:
    """`12288` or `12k`, with k = 1024."""
    return int(text[:-1]) * 1024 if text.endswith("k") else int(text)


def section(number: str) -> str:
    _, *parts = SECTION.split(TEXT)
    return dict(zip(parts[::2], parts[1::2], strict=True))[number]


def cells(number: str) -> list[list[str]]:
    """The rows below the head of a section's table; a row may go on in the next line."""
    body = section(number).split("---|", 1)[1].split("\n", 1)[1]
    body = re.sub(r"\|\n(\d+k) \|", r"| \1 |", body)
    return [[c.strip() for c in line.split("|")[:-1]] for line in body.splitlines() if "|" in line]


def chat_rows(number: str) -> list[ChatRow]:
    rows = []
    for title, model, context, most, output, *chain in cells(number):
        found = re.fullmatch(r"(?:\[(\d+),)?(\w+)\]? 默认 ?(\w+)", output)
        assert found, output
        low, high, default = found.groups()
        limits = (int(low) if low else None, tokens(high), tokens(default))
        thought = tokens(chain[0]) if chain else 0
        rows.append(ChatRow(title, model, tokens(context), tokens(most), *limits, thought))
    return rows


def families(feature: str) -> list[str]:
    """What a feature of 2.6 lists."""
    after = section("2.6").split(feature, 1)[1].split("\n", 1)[1]
    listed = re.match(r"(?:- \S+\n?)+", after)
    assert listed, feature
    return re.findall(r"- (\S+)", listed[0])
