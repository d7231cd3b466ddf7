"""How a draft becomes the applied version, in one transaction with its row in the audit log."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from xinghe.accounts import audit
from xinghe.catalog import Tree
from xinghe.configuration import tables
from xinghe.configuration.diff import fields, logged
from xinghe.configuration.pruning import prune
from xinghe.configuration.tables import Field, Version
from xinghe.configuration.tree import changes
from xinghe.storage import Connection, now

SUBJECT = "config"
"""What the audit log calls it."""

T = TypeVar("T")


class Outcome(msgspec.Struct, frozen=True):
    """What is applied after a change, and which fields that has changed: how many, and the first.

    Where nothing was, no version was made. `validate_only` has it be what was applied before.
    """

    version: Version
    changed: int
    changes: list[Field]


class Moved(Exception):
    """Another version was applied while this one was made."""


def drafted(old: Version, tree: Tree) -> Version:
    """The version that has a tree in the place of the old one's."""
    found = list(changes(old.tree, tree))
    return Version(old.number + 1, changed=len(found), changes=fields(found), tree=tree)


def applying(
    old: Version, draft: Version, keep: int, file: bytes | None = None
) -> Callable[[Connection], Outcome]:
    """Has the draft be applied, if it changes anything; `keep` versions are kept then.

    Raises `Moved`.
    """

    def write(connection: Connection) -> Outcome:
        audit.alone(connection)
        if tables.newest(connection) != old.number:
            raise Moved
        if not (draft.changed or old.damage):
            return Outcome(old, 0, [])
        made = msgspec.structs.replace(draft, at=now())
        tables.add(connection, made, file)
        prune(connection, keep)
        before, after = logged(made.changes)
        detail = f"version {made.number}" + (f": {made.note}" if made.note else "")
        audit.record(
            connection, made.author, "config.apply", SUBJECT, detail, before=before, after=after
        )
        return Outcome(made, made.changed, made.changes)

    return write


def whole(operation: Callable[[Connection], T]) -> Callable[[Connection], T]:
    """Reads of one moment."""

    def read(connection: Connection) -> T:
        with connection.snapshot():
            return operation(connection)

    return read
