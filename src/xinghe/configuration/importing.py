"""What comes of files that were edited: file by file, each whole or not at all."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET

from xinghe.catalog import CatalogError, Tree
from xinghe.configuration.diff import conflicting
from xinghe.configuration.files import LISTS as FOLDER
from xinghe.configuration.files import MODELS, Found
from xinghe.configuration.merging import Conflict, merge
from xinghe.configuration.redaction import restored
from xinghe.configuration.tables import Version
from xinghe.configuration.tree import (
    LISTS,
    ConfigurationError,
    checked,
    lists_of,
    models_of,
    same,
    with_lists,
)


class Import(msgspec.Struct, frozen=True):
    """`tree` is to be applied in the place of `version`; `file` is what the files held that it is
    made of, None where they held nothing new. `troubles` say of a file why it is not in it.
    """

    version: Version
    tree: Tree = {}
    file: Tree | None = None
    troubles: dict[str, str] = {}


class Base(msgspec.Struct, frozen=True):
    """What the files held at the last import. `here`: of this directory; else there was none, and
    an empty tree has nothing be taken out, and what is applied stay wherever it differs.
    """

    tree: Tree = {}
    here: bool = False


def joined(found: Found, applied: Version, base: Base, built: Callable[[Tree], object]) -> Import:
    """What was edited since the last import, put into what is applied.

    `built` raises `CatalogError` for a tree that makes no catalog.
    """
    was = base.tree
    troubles = dict(found.troubles)
    models, lists = models_of(applied.tree), dict(lists_of(applied.tree))
    held, held_lists = models_of(was), dict(lists_of(was))
    try:
        theirs = restored(found.over(was), applied.tree)
        models, held = _models(held, models_of(theirs), applied, built)
    except (ConfigurationError, CatalogError) as error:
        troubles[MODELS] = str(error)
        theirs = with_lists(models_of(was), lists_of(found.over(was)))
    for name in {**held_lists, **lists_of(theirs)}:
        sides = [each.get(name, UNSET) for each in (lists_of(was), lists_of(theirs), lists)]
        taken, conflicts = _list(name, *sides)
        if conflicts:
            troubles[f"{FOLDER}/{name}"] = conflicting(conflicts, applied)
            continue
        _put(lists, name, taken)
        _put(held_lists, name, sides[1])
    file = with_lists(held, held_lists)
    known = base.here or not file
    return Import(
        applied,
        with_lists(models, lists),
        None if known and same(file, was) else file,
        troubles,
    )


def _models(
    was: Tree, theirs: Tree, applied: Version, built: Callable[[Tree], object]
) -> tuple[Tree, Tree]:
    """The models with the edit in them, and what the file holds now.

    Raises `ConfigurationError`, `CatalogError`.
    """
    ours = models_of(applied.tree)
    if same(theirs, was):
        return ours, theirs
    merged = merge(was, theirs, ours)
    if merged.conflicts:
        raise ConfigurationError(conflicting(merged.conflicts, applied))
    built(checked(merged.tree))
    return merged.tree, theirs


def _list(name: str, was: Any, theirs: Any, ours: Any) -> tuple[Any, list[Conflict]]:
    if same(theirs, was) or same(theirs, ours):
        return ours, []
    if same(ours, was):
        return theirs, []
    return ours, [Conflict((*LISTS, name), was, theirs, ours)]


def _put(lists: dict[str, str], name: str, text: Any) -> None:
    if text is UNSET:
        lists.pop(name, None)
    else:
        lists[name] = text
