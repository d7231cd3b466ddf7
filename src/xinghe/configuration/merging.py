"""Two ways to change a tree: a patch, and another tree that began where it did."""

from typing import Any

import msgspec
from msgspec import UNSET

from xinghe.catalog import Tree
from xinghe.configuration.tree import Path, same


class Conflict(msgspec.Struct, frozen=True):
    """A field that both have changed, to different values; `UNSET`: it is not there."""

    path: Path
    base: Any
    theirs: Any
    ours: Any


class Merged(msgspec.Struct, frozen=True):
    """The tree is of use only where there are no conflicts."""

    tree: Tree
    conflicts: list[Conflict]


def merge(base: Tree, theirs: Tree, ours: Tree) -> Merged:
    """What two have made of `base`, together: every change of either, and no other.

    Tables are merged field by field; a list is one value. A table that one has changed and the
    other has taken out is a conflict.
    """
    conflicts: list[Conflict] = []
    tree = _merge(base, theirs, ours, (), conflicts)
    return Merged(tree, conflicts)


def patched(tree: Tree, patch: Tree) -> Tree:
    """A tree with a JSON merge patch (RFC 7396): null takes out, a list is replaced whole."""
    made = dict(tree)
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        elif isinstance(value, dict):
            old = made.get(name)
            made[name] = patched(old if isinstance(old, dict) else {}, value)
        else:
            made[name] = value
    return made


def _merge(base: Any, theirs: Any, ours: Any, path: Path, conflicts: list[Conflict]) -> Any:
    if same(theirs, base) or same(theirs, ours):
        return ours
    if same(ours, base):
        return theirs
    tables = isinstance(theirs, dict) and isinstance(ours, dict)
    if not tables or not (base is UNSET or isinstance(base, dict)):
        conflicts.append(Conflict(path, base, theirs, ours))
        return ours
    was = {} if base is UNSET else base
    made: Tree = {}
    for name in {**theirs, **ours}:
        sides = [each.get(name, UNSET) for each in (was, theirs, ours)]
        merged = _merge(sides[0], sides[1], sides[2], (*path, name), conflicts)
        if merged is not UNSET:
            made[name] = merged
    return made
