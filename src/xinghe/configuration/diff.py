"""How changes and conflicts are shown: fields with their values, no secrets, nothing long."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from xinghe.catalog import Tree
from xinghe.configuration.merging import Conflict
from xinghe.configuration.redaction import redacted
from xinghe.configuration.tables import Field, Version
from xinghe.configuration.tree import LISTS, Change, Path, changes, named, same

MOST_SHOWN = 50
"""Changes of one version that are shown; the audit log is no place for a whole catalog."""
WHICH = ("", " (another)", " (a third)")
LONGEST = 200
"""Characters of a value as JSON."""


def fields(found: Sequence[Change]) -> list[Field]:
    """What was there before and what after: the first of the changes."""
    return [Field(named(each.path), *_sides(each)) for each in found[:MOST_SHOWN]]


def compared(old: Tree, new: Tree) -> list[Field]:
    """All that differs between two trees."""
    return [Field(named(each.path), *_sides(each)) for each in changes(old, new)]


def logged(found: Iterable[Field]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Before and after, by field, for the audit log."""
    sides = [(each.path, each.before, each.after) for each in found]
    return (
        {path: before for path, before, _ in sides if before is not UNSET},
        {path: after for path, _, after in sides if after is not UNSET},
    )


def summary(found: Iterable[Field]) -> list[str]:
    """A line for each change."""
    return [f"{each.path}: {_json(each.before)} -> {_json(each.after)}" for each in found]


def conflicting(found: Sequence[Conflict], applied: Version) -> str:
    """Why a file is not imported: each field, what it says, what is applied, and what to do."""
    by = f"version {applied.number} by {applied.author}"
    fields = "; ".join(_conflict(each, by) for each in found[:MOST_SHOWN])
    return (
        "the file and the applied configuration have both changed since the file was last "
        f"imported. {fields}. Nothing of the file is applied. `xinghe config apply` with the file "
        "has it win; to keep what is applied, write that into the file"
    )


def _conflict(found: Conflict, by: str) -> str:
    theirs, ours, base = map(_json, _apart(found.path, (found.theirs, found.ours, found.base)))
    return f"{named(found.path)}: the file says {theirs}, {by} says {ours}, it was {base}"


def _sides(change: Change) -> tuple[Any, Any]:
    was, became = _apart(change.path, (change.before, change.after))
    return was, became


def _apart(path: Path, values: Sequence[Any]) -> list[Any]:
    """Values as they may be shown; what looks alike and is not, as two secrets, is told apart."""
    shown = list[Any]()
    for at, value in enumerate(values):
        text = _brief(path, value)
        alike = [each for each in values[:at] if same(_brief(path, each), text)]
        others = [each for turn, each in enumerate(alike) if not _in(each, alike[:turn])]
        which = next((turn for turn, each in enumerate(others) if same(each, value)), len(others))
        shown.append(f"{text}{WHICH[which]}" if which else text)
    return shown


def _in(value: Any, others: Sequence[Any]) -> bool:
    return any(same(value, each) for each in others)


def _brief(path: Path, value: Any) -> Any:
    """A value as it may be shown: without secrets, cut where it is long."""
    if value is UNSET:
        return UNSET
    if isinstance(value, dict) and path[:1] == LISTS[:1]:
        return {name: _brief((*path, name), each) for name, each in value.items()}
    if isinstance(value, str) and path[:1] == LISTS[:1]:
        return f"{len(value.splitlines())} lines"
    shown = redacted(value, path)
    text = msgspec.json.encode(shown).decode()
    return shown if len(text) <= LONGEST else text[:LONGEST] + "…"


def _json(value: Any) -> str:
    return "nothing" if value is UNSET else msgspec.json.encode(value).decode()
