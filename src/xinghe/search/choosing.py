"""The worker that reads through what a search has found: `python -m xinghe.search.choosing`.

Thirty long documents take more than a second, in which a thread would hold up everybody's streams.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

import msgspec

from xinghe.search.choose import Measure, Reference, choose
from xinghe.search.provider import Found
from xinghe.workers import serve


class Choice(msgspec.Struct, frozen=True):
    """What `choose` is asked; `measure` is where its function stands, as module and name."""

    query: str
    found: list[Found]
    references: int
    budget: int
    measure: tuple[str, str]


def place_of(measure: Measure) -> tuple[str, str]:
    """Where a function of a module stands."""
    return measure.__module__, measure.__qualname__


@cache
def _at(module: str, name: str) -> Measure:
    found: Measure = getattr(import_module(module), name)
    return found


def _choose(asked: Choice) -> list[Reference]:
    measure = _at(*asked.measure)
    return choose(asked.query, asked.found, asked.references, asked.budget, measure)


if __name__ == "__main__":
    serve(_choose, Choice)
