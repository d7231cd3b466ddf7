"""What the stages between an engine and a reader have in common."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from xinghe.core import Delta


class Stage(Protocol):
    """The deltas of one read in, those that may go on out.

    A `FinishDelta` is always the last: whatever a stage holds back leaves before it, and a stage
    that ends the answer by itself appends one of its own. One that has to ask a worker is awaited.
    """

    def __call__(self, deltas: list[Delta]) -> list[Delta] | Awaitable[list[Delta]]: ...


class Unkept(Exception):
    """An engine's answer broke its promise, and nothing of it was shown: try again."""
