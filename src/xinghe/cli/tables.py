"""Printing what was found: aligned columns for people, JSON for programs."""

from __future__ import annotations

import datetime
import unicodedata
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import click
import msgspec

from xinghe.core import MICRO

_JSON = msgspec.json.Encoder(decimal_format="number")


def tokens(micro: int) -> Decimal:
    """Micro-Tokens as Tokens, without trailing zeros."""
    value = Decimal(micro).scaleb(-6)
    return value.quantize(Decimal(1)) if value == value.to_integral() else value.normalize()


def moment(at: int | None) -> str | None:
    """Microseconds since 1970 as ISO 8601, UTC, to the second."""
    if at is None:
        return None
    return datetime.datetime.fromtimestamp(at // MICRO, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def show(value: Any, *, as_json: bool) -> None:
    """Print a list of mappings as a table, one mapping as lines, or either as JSON."""
    if as_json:
        click.echo(msgspec.json.format(_JSON.encode(value), indent=2))
    elif isinstance(value, Mapping):
        width = max(map(len, value))
        for key, cell in value.items():
            click.echo(f"{key:<{width}}  {_text(cell)}")
    elif value:
        _table(value)


def _table(rows: Sequence[Mapping[str, Any]]) -> None:
    head = list(rows[0])
    lines = [head, *([_text(row[key]) for key in head] for row in rows)]
    widths = [max(_width(line[i]) for line in lines) for i in range(len(head))]
    # Figures stand under each other, flush right.
    right = [isinstance(rows[0][key], int | Decimal) for key in head]
    for line in lines:
        cells = []
        for cell, width, flush_right in zip(line, widths, right, strict=True):
            space = " " * (width - _width(cell))
            cells.append(space + cell if flush_right else cell + space)
        click.echo("  ".join(cells).rstrip())


def _text(cell: Any) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    return ", ".join(cell) if isinstance(cell, list) else str(cell)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
