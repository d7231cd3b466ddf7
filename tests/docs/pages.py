"""The documentation as its tests read it: pages, fenced blocks, headings, tables, links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block; `output` is the text block directly below it: what it is said to print."""

    language: str
    text: str
    output: str | None = None


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def prose(self) -> str:
        """The page without its blocks."""
        return FENCE.sub("", self.text)

    @cached_property
    def blocks(self) -> list[Block]:
        found = list(FENCE.finditer(self.text))
        blocks = []
        for at, match in enumerate(found):
            below = found[at + 1] if at + 1 < len(found) else None
            joined = below is not None and not self.text[match.end() : below.start()].strip()
            output = below[2] if below is not None and joined and below[1] == "text" else None
            blocks.append(Block(match[1], match[2].strip(), output))
        return blocks

    @cached_property
    def headings(self) -> list[tuple[int, str]]:
        return [(len(marks), title) for marks, title in HEADING.findall(self.prose)]

    @cached_property
    def anchors(self) -> set[str]:
        """As GitHub makes them of the headings."""
        return {
            re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for _, title in self.headings
        }

    @cached_property
    def links(self) -> list[str]:
        return LINK.findall(self.prose)

    @cached_property
    def tables(self) -> list[list[list[str]]]:
        """Every table as its rows of cells, without the head."""
        runs = re.findall(r"(?:^\|.*\|\n)+", self.prose, re.MULTILINE)
        return [
            [[cell.strip() for cell in line.strip("|").split("|")] for line in run.splitlines()[2:]]
            for run in runs
        ]

    @property
    def translation(self) -> Page:
        """The English page beside a Chinese one."""
        return Page(self.path.with_name(f"{self.path.stem}.en.md"))


CHINESE = [
    Page(path)
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    if not path.name.endswith(".en.md")
]
BOTH = [page for chinese in CHINESE for page in (chinese, chinese.translation)]
ALL = [*BOTH, Page(ROOT / "CONTRIBUTING.md"), Page(ROOT / "CHANGELOG.md")]


def page(name: str) -> Page:
    return Page(ROOT / name)


def codes(cell: str) -> list[str]:
    """What stands in backquotes."""
    return CODE.findall(cell)
