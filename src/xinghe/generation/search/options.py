"""What a request wants of web search (section 5.4)."""

from __future__ import annotations

import msgspec

LEAST, MOST = 1, 28
"""How many documents may be asked for."""


class SearchOptions(msgspec.Struct, frozen=True):
    """`search_number` documents are looked for, `reference_number` of them read at most."""

    citation: bool = False
    trace: bool = False
    status: bool = False
    search_number: int = 10
    reference_number: int = 10

    def __post_init__(self) -> None:
        assert LEAST <= self.reference_number <= self.search_number <= MOST
