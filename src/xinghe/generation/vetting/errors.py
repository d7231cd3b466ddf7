"""Why there is no verdict."""

from __future__ import annotations


class VettingBusy(Exception):
    """Too many schemas wait already, of this account or in all."""

    retry_after = 2.0
    """Seconds."""


class Unverified(Exception):
    """A finished answer could not be checked in time, so it cannot be promised. `kind` is why."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind
