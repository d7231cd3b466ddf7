"""Why a reservation was refused."""

from __future__ import annotations


class InsufficientTokens(Exception):
    """An account cannot cover a request; both figures in micro-Tokens."""

    def __init__(self, available: int, needed: int) -> None:
        super().__init__(f"{available} micro-Tokens available, {needed} needed")
        self.available = available
        self.needed = needed
