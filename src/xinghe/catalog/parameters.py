"""The table of request parameters (data: parameters.toml)."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

Range = tuple[int | float, int | float]


class Parameter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a parameter may be; both ends of a range are allowed (of strings: of their length).

    `choices` are the words that a string may be, each with what it means.
    """

    kind: Literal["number", "integer", "boolean", "string", "strings", "choice"]
    about: str
    documented: Range | None = None
    openai: Range | None = None
    default: float | None = None
    sampling: bool = False
    only: bool | None = None
    items: int = 1
    choices: dict[str, float] = {}

    def range(self, *, openai: bool) -> Range | None:
        return self.openai if openai and self.openai is not None else self.documented


@cache
def parameters() -> dict[str, Parameter]:
    """Every parameter by its name, in the file's order."""
    table = tomllib.loads(files(__package__).joinpath("parameters.toml").read_text("utf-8"))
    return msgspec.convert(table, dict[str, Parameter])
