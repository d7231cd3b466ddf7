"""The project's own pages: what the local corpus holds before anybody has indexed anything."""

from __future__ import annotations

from pathlib import Path

from xinghe.search.corpus import DOCUMENTATION, Corpus
from xinghe.search.extractor import Extractor
from xinghe.search.indexing import Report, index

_PACKAGE = Path(__file__).parents[1]


def pages() -> list[Path]:
    """README and docs, in both languages: part of an installed package, beside a checkout's."""
    installed = _PACKAGE / "documentation"
    if installed.is_dir():
        return sorted(installed.glob("*.md"))
    root = _PACKAGE.parents[1]
    return sorted([*root.glob("README*.md"), *(root / "docs").glob("*.md")])


async def index_documentation(corpus: Corpus, extractor: Extractor) -> Report:
    """Bring the pages into the corpus; cheap when they are there already."""
    return await index(corpus, extractor, DOCUMENTATION, pages(), public=True)
