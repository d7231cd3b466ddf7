"""Why a reservation was refused, or a finished answer kept back."""

from __future__ import annotations

from xinghe.ledger.caps import Period
from xinghe.storage import StorageUnavailable


class InsufficientTokens(Exception):
    """An account cannot cover a request; both figures in micro-Tokens."""

    def __init__(self, available: int, needed: int) -> None:
        super().__init__(f"{available} micro-Tokens available, {needed} needed")
        self.available = available
        self.needed = needed


class Unsaved(StorageUnavailable):
    """A finished answer could not be charged in time: it does not leave, and costs nothing."""


class SpendCapReached(Exception):
    """A request could take a token over its cap; the amounts in micro-Tokens.

    `spent` is what the token has spent in the running `period` (UTC), with what its running
    requests hold.
    """

    def __init__(self, cap: int, spent: int, needed: int, period: Period) -> None:
        super().__init__(f"{spent} of {cap} micro-Tokens spent ({period}), {needed} needed")
        self.cap = cap
        self.spent = spent
        self.needed = needed
        self.period = period
