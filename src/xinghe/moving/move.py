"""The move itself: copied while the service runs, the rest while it waits, proved, switched.

Every step may be the last: until the file says that its books have moved, it is where they are.
"""

import secrets
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import psycopg

from xinghe.ledger import check
from xinghe.moving.parts import Part, Row, Span, Table, digest
from xinghe.moving.proof import Proof, proved
from xinghe.moving.service import Service
from xinghe.moving.target import Target
from xinghe.storage import StorageError, now
from xinghe.storage.backup import KEYS, last_id, version_of
from xinghe.storage.moved import Moved, Mover, Moving, mark, moved, moving
from xinghe.storage.sqlite import SQLiteBackend, SQLiteSession

APPENDED = {"entries"}
"""Tables whose rows never change and are never deleted: their triggers see to that."""
PASSES, SHORT = 4, 2.0
"""How often all is looked through at most before requests wait, and a pass that is short enough;
in seconds."""
LOOK = 0.05

Told = Callable[[str], None]
Progress = Callable[[str, int], None]


class Outcome(msgspec.Struct, frozen=True):
    """What was moved and proved; `waited` is for how long nothing could be written, in seconds."""

    name: str
    proof: Proof
    waited: float
    nuls: int


class Move:
    """One move, by one process. Every method raises `StorageError`."""

    def __init__(self, directory: Path, url: str, told: Told, progress: Progress) -> None:
        self._directory = directory
        self._url = url
        self._told = told
        self._progress = progress
        self._nuls = 0

    def run(self, service: Callable[[], Service | None], place: str) -> Outcome:
        """All of it. `place` is what the directory is called in a database elsewhere."""
        source = SQLiteBackend.prepared(self._directory, create=False)
        with moving(self._directory) as mover, closing(source.session()) as session:
            if (gone := moved(session)) is not None:
                return self._again(gone)
            move = mover.last or secrets.token_hex(8)
            with closing(Target(self._url, move)) as target:
                mover.say(Moving(move))
                try:
                    if target.begin(self._url, version_of(session)):
                        self._told(f"going on with what was begun in {target.name}")
                    self._copy(session, target)
                    return self._switch(session, target, mover, move, service, place)
                except psycopg.Error as error:  # a row that breaks a rule of its tables
                    raise StorageError(f"{target.name}: {error}") from error

    def _again(self, gone: Moved) -> Outcome:
        """Who was killed behind the switch has this left to do."""
        with closing(Target(gone.url, gone.move)) as target:
            if target.state == "ready":
                target.say("moved")
                target.validate()
            raise StorageError(
                f"the books have moved to {target.name} already: `xinghe migrate status`"
            )

    def _copy(self, session: SQLiteSession, target: Target) -> None:
        """Beside the service, until little is left."""
        for each in range(PASSES):
            began = time.monotonic()
            with session.snapshot():
                rows = self._level(session, target, APPENDED if each else set())
            seconds = time.monotonic() - began
            self._told(f"copied {rows:,} rows in {seconds:.1f} s")
            if rows == 0 or seconds < SHORT:
                break
        target.analyze()
        self._told("checking the books that were copied")
        if findings := check(target.session):
            first = findings[0]
            raise StorageError(
                f"the books do not agree ({len(findings)} findings; {first.rule}: {first.where}), "
                "and nothing was moved: see `xinghe ledger check`"
            )

    def _switch(
        self,
        session: SQLiteSession,
        target: Target,
        mover: Mover,
        move: str,
        service: Callable[[], Service | None],
        place: str,
    ) -> Outcome:
        running = service()
        mover.say(Moving(move, waits=True))
        began = time.monotonic()
        if running is not None:
            self._told("the service takes no new requests now")
            while not running.waits():
                time.sleep(LOOK)
            self._drain(session, running.grace)
        session.begin()
        try:
            self._level(session, target, APPENDED)
            proof = proved(session, target.session)
            target.finish({table: last_id(session, table) for table in KEYS}, place)
            mark(session, Moved(self._url, move, now()))
            session.commit()
        finally:
            session.rollback()
        target.say("moved")
        waited = time.monotonic() - began
        target.validate()
        if running is not None:
            running.back()
        return Outcome(target.name, proof, waited, self._nuls)

    def _drain(self, session: SQLiteSession, grace: float) -> None:
        """Let what is under way end and be charged here; what takes longer is charged there."""
        end = time.monotonic() + grace
        while session.value("SELECT 1 FROM holds WHERE state = 'open' LIMIT 1"):
            if time.monotonic() > end:
                break
            time.sleep(LOOK)

    def _level(self, session: SQLiteSession, target: Target, appended: set[str]) -> int:
        """Have the target hold what the file holds; returns how many rows had to be copied."""
        stale = list[tuple[str, list[Part], list[Span]]]()
        for name in KEYS:
            parts = target.parts(name)
            if name in appended:
                stale.append((name, [], [Span(parts[-1].upto if parts else None, None)]))
            else:
                stale.append((name, *Table(session, name).compared(parts)))
        target.drop(stale)
        return sum(self._fill(Table(session, name), target, spans) for name, _, spans in stale)

    def _fill(self, table: Table, target: Target, spans: list[Span]) -> int:
        done = 0
        for span in spans:
            for rows in table.pages(span):
                self._put(table, target, rows)
                done += len(rows)
                self._progress(table.name, done)
        return done

    def _put(self, table: Table, target: Target, rows: list[Row]) -> None:
        part, written = table.part(rows), rows
        if digest(rows)[1]:
            written = [self._without_nul(table, row) for row in rows]
        try:
            target.put(table.name, table.columns, written, part)
        except StorageError as error:
            raise StorageError(f"{target.name}, table {table.name}: {error}") from error

    def _without_nul(self, table: Table, row: Row) -> Row:
        """No text of PostgreSQL holds a NUL: U+FFFD stands for it there."""
        clean = tuple(
            value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in row
        )
        if table.key(clean) != table.key(row):
            raise StorageError(f"a key of the table {table.name} holds a NUL: {table.key(row)!r}")
        self._nuls += clean != row
        return clean
