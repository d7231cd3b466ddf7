"""An amount of Tokens that may also be taken away."""

from __future__ import annotations

from typing import Any, Literal

import click

from xinghe.cli.options import Amount

NONE: Literal["none"] = "none"
"""What a command is given for `none`: click takes Python's None for a missing argument."""


class AmountOrNone(Amount):
    """As `Amount`, or the word `none`."""

    name = "tokens|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return NONE if value == NONE else super().convert(value, param, ctx)


def or_none(value: int | Literal["none"]) -> int | None:
    """The amount that a command was given, None for `none`."""
    return None if value == NONE else value
