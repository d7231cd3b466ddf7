"""What becomes of a move once it is done: seen, undone with nothing lost, or confirmed."""

from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import msgspec

from xinghe.moving.parts import Span, Table
from xinghe.moving.target import Target
from xinghe.storage import StorageError, restore, save
from xinghe.storage.backup import CLOSED, KEYS, require_alone
from xinghe.storage.backup_file import Progress
from xinghe.storage.connection import StorageUnavailable
from xinghe.storage.moved import Moved, moved, moving, unmark
from xinghe.storage.sqlite import FILE_NAME, SQLiteBackend

DERIVED = {CLOSED, "usage_members", "usage_groups", "configuration_places"}
"""Tables that a service writes by itself: what they say follows from others, or is said anew."""
BACK = "moving.backup"
ASIDE = ".moved"


class Status(msgspec.Struct, frozen=True):
    """Where the books are: `moved` is None while they are in the SQLite file."""

    moved: Moved | None
    name: str = ""
    trouble: str = ""
    """Why PostgreSQL cannot be asked."""
    written: dict[str, int] = {}
    """By table, how many rows it has more there than the file, where anything was written since."""


def status(directory: Path) -> Status:
    """Raises `StorageError`."""
    backend = SQLiteBackend.prepared(directory, create=False)
    with closing(backend.session(read_only=True)) as session:
        to = moved(session)
        if to is None:
            return Status(None)
        try:
            with closing(Target(to.url, to.move)) as target:
                return Status(to, target.name, written=dict(_written(target)))
        except StorageUnavailable as error:
            return Status(to, trouble=str(error))


def undo(directory: Path, progress: Progress, *, discard: bool = False) -> dict[str, int]:
    """Have the books be in the SQLite file again; nobody else may use either meanwhile.

    What was written in PostgreSQL since is taken back with them, unless it is to be lost. Returns
    by table how many rows more those are. Raises `StorageError`; then nothing was changed.
    """
    backend = SQLiteBackend.prepared(directory, create=False)
    with moving(directory), closing(backend.session(patient=True)) as session:
        to = moved(session)
        if to is None:
            raise StorageError("the books are in the SQLite file: there is nothing to undo")
        session.to_moved = True
        written: dict[str, int] = {}
        if discard:
            with suppress(StorageUnavailable), closing(Target(to.url, to.move)) as target:
                written = dict(_written(target))
                target.say("undone")
        else:
            with closing(Target(to.url, to.move)) as target:
                require_alone(target.session)
                if written := dict(_written(target)):
                    file = directory / BACK
                    try:
                        save(target.session, file, progress)
                        restore(session, file, progress, replace=True)
                    finally:
                        file.unlink(missing_ok=True)
                target.say("undone")
        session.begin()
        try:
            unmark(session)
            session.commit()
        finally:
            session.rollback()
    return written


def confirm(directory: Path, url: str) -> Path:
    """Give the way back up: the SQLite file is put aside, under the name that is returned.

    `url` is that of the settings, by which PostgreSQL is found from now on. Raises `StorageError`.
    """
    file = directory / FILE_NAME
    backend = SQLiteBackend.prepared(directory, create=False)
    with moving(directory):
        with closing(backend.session()) as session:
            to = moved(session)
        if to is None:
            raise StorageError("the books are in the SQLite file: there is nothing to confirm")
        with closing(Target(url, to.move)) as target:
            if target.state != "moved":
                raise StorageError(
                    f"database.url names {target.name}, which is not the database that the books "
                    "were moved to"
                )
            target.validate()
            with closing(backend.session()) as session:
                session.rows("PRAGMA wal_checkpoint(TRUNCATE)")
            aside = file.with_name(FILE_NAME + ASIDE)
            if file.with_name(FILE_NAME + "-wal").exists():
                raise StorageError(f"another program uses {file}: try again when it has ended")
            file.rename(aside)
            target.forget()
    return aside


def _written(target: Target) -> Iterator[tuple[str, int]]:
    """Tables in which anything is another thing than what was moved, and how many rows more."""
    with target.session.snapshot():
        for name in KEYS:
            if name in DERIVED:
                continue
            parts = target.parts(name)
            moved_rows = sum(part.rows for part in parts)
            rows = target.session.value(f"SELECT count(*) FROM {name}")  # noqa: S608
            stale, spans = Table(target.session, name).compared(parts)
            more = [span for span in spans if span != Span(parts[-1].upto if parts else None, None)]
            if stale or more or rows != moved_rows:
                yield name, rows - moved_rows
