"""What can go wrong with model files; every message says what to do."""

from __future__ import annotations


class WeightsError(Exception):
    """A model file that cannot be had."""


class UnknownWeight(WeightsError):
    """A name that the index does not hold."""


class NoSpaceError(WeightsError):
    """Too little free disk: no other source would help."""


class SourceError(WeightsError):
    """One source failed; the next one may not."""
