"""What keeps the buckets: this process's memory, or a server that several gateways share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

from xinghe.limits.quota import Quota

Key: TypeAlias = tuple[str, int, str]
"""The kind of limit, the account's id, and the model (empty for what holds for all models)."""

Ask: TypeAlias = tuple[Key, Quota, int]
"""Requests or Tokens wanted of one bucket, at most what a full one covers."""


class Store(Protocol):
    """Every store passes `tests/limits/`."""

    def take(self, asks: Sequence[Ask]) -> tuple[int, list[int]]:
        """Take from all buckets, or from none if one does not cover what is asked of it.

        Returns the moment of it in the store's order of events, for `settle`, or 0 if refused;
        and each bucket's deficit before it, in its quota's units.
        """
        ...

    def settle(self, ask: Ask, mark: int, used: int) -> None:
        """Make a granted ask one of `used`, as if that had been asked at the time.

        More than was asked becomes a deficit now, beyond the capacity if it must (a debt). Less
        gives back only what could still have been there: what the bucket would have lost as
        overflow in between, had it been that much fuller, is not given.
        """
        ...
