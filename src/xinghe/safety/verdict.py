"""What moderation says of a text."""

from __future__ import annotations

import msgspec


class Verdict(msgspec.Struct, frozen=True):
    """A finding: how severe and of which category, never the text that was found.

    `flag` is the documented scale of section 4.1.3: 1 low risk, the talk may go on; 2 the talk
    may not go on, the text may be shown; 3 it may not be shown either; 4 what was already shown
    is to be withdrawn. `category` is a lexicon category, or `operator/<list name>`.
    """

    flag: int
    category: str

    def __post_init__(self) -> None:
        assert 1 <= self.flag <= 4
