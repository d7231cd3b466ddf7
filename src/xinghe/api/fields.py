"""Reads single fields of a JSON body: each refusal names the field, the value and the range."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from xinghe.api.errors import refuse, shown


def number(body: dict[str, Any], field: str, low: float, high: float) -> float | None:
    """A number in [low, high]."""
    value = body.get(field)
    if value is None:
        return None
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        # Compared, not converted: an integer of 400 digits is no float. NaN fails both ways.
        or not low <= value <= high
    ):
        raise refuse(field, value, f"a number in [{low:g}, {high:g}]")
    return float(value)


def integer(body: dict[str, Any], field: str, low: float, high: float) -> int | None:
    """An integer in [low, high]; `5.0` is one, as JSON does not tell them apart."""
    value = body.get(field)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise refuse(field, value, f"an integer in [{low}, {high}]")
    return value


def flag(
    body: dict[str, Any], field: str, path: str | None = None, only: bool | None = None
) -> bool | None:
    """A boolean; `only` names the one value that is served, `path` the field in messages."""
    value = body.get(field)
    if value is None:
        return None
    if not isinstance(value, bool) or (only is not None and value is not only):
        allowed = "true or false" if only is None else shown(only)
        raise refuse(path or field, value, allowed)
    return value


def obj(body: dict[str, Any], field: str) -> dict[str, Any]:
    value = body.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise refuse(field, value, "an object")
    return value


def text(body: dict[str, Any], field: str, low: float, high: float) -> str | None:
    """A string of `low` to `high` characters."""
    value = body.get(field)
    if value is not None and not (isinstance(value, str) and low <= len(value) <= high):
        raise refuse(field, value, f"a string of {low} to {high} characters")
    return value


def choice(body: dict[str, Any], field: str, allowed: Collection[str]) -> str | None:
    """One of the words."""
    value = body.get(field)
    if value is None:
        return None
    if not isinstance(value, str) or value not in allowed:
        raise refuse(field, value, ", ".join(allowed))
    return value
