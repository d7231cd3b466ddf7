"""The PostgreSQL database that is being filled.

Until it is whole, no program of ours uses it: `moves` says so. Its parts are written in any order,
so references are taken away meanwhile, and triggers do not fire; both come back at its end. What
was copied stands beside it, part by part, in the transaction that copied it.
"""

from collections.abc import Iterable, Sequence

import msgspec

from xinghe.moving.parts import Key, Part, Row, Span, between
from xinghe.storage.backup import CLOSED, KEYS, TOTALS, go_on_from, version_of
from xinghe.storage.connection import StorageError
from xinghe.storage.postgresql.backend import MOVES, PostgreSQLBackend
from xinghe.storage.postgresql.connection import PostgreSQLSession

PARTS, REFERENCES = "moves_parts", "moves_references"
_MADE = f"""
    CREATE TABLE {MOVES} (move TEXT NOT NULL, state TEXT NOT NULL);
    CREATE TABLE {PARTS} (
        name TEXT NOT NULL, upto BYTEA NOT NULL, rows BIGINT NOT NULL, digest BYTEA NOT NULL,
        PRIMARY KEY (name, upto)
    );
    CREATE TABLE {REFERENCES} (name TEXT NOT NULL, reference TEXT NOT NULL, rule TEXT NOT NULL)
"""
_FOREIGN = (
    "SELECT CAST(CAST(conrelid AS regclass) AS TEXT), CAST(conname AS TEXT), "
    "pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE contype = 'f' AND connamespace = CAST(current_schema() AS regnamespace) "
)


class Target:
    """One database, for one thread. Every method raises `StorageError`."""

    def __init__(self, url: str, move: str) -> None:
        self.backend = PostgreSQLBackend(url)
        self.name = self.backend.name
        self._move = move
        self.session: PostgreSQLSession = self.backend.session(patient=True)

    def close(self) -> None:
        self.session.close()

    @property
    def state(self) -> str:
        """What this move has come to there; empty where it was not begun."""
        if not _is_there(self.session):
            return ""
        row = self.session.row(
            f"SELECT state FROM {MOVES} WHERE move = $1",  # noqa: S608
            self._move,
        )
        return row[0] if row else "another"

    def begin(self, url: str, version: int) -> bool:
        """Make it ready to be filled; returns whether it goes on with what was begun.

        `version` is that of the tables which are copied.
        """
        state = self.state
        if state in {"filling", "ready"}:
            if version_of(self.session) != version:
                raise StorageError(
                    f"{self.name} was begun by another version of Xinghe: give the URL of an empty "
                    "database"
                )
            self._open()
            return True
        if state:
            raise StorageError(
                f"{self.name} has been moved to before: give the URL of an empty database"
            )
        PostgreSQLBackend.prepared(url, create=True)
        filled = [table for table in KEYS if table != CLOSED and self._any(table)]
        if filled:
            raise StorageError(
                f"{self.name} is not empty (its table {filled[0]} has rows): give the URL of an "
                "empty database"
            )
        self.session.begin()
        try:
            for statement in _MADE.split(";"):
                self.session.run(statement)
            self.session.run(
                f"INSERT INTO {MOVES} (move, state) VALUES ($1, 'filling')",  # noqa: S608
                self._move,
            )
            self.session.run(f"DELETE FROM {CLOSED}")  # noqa: S608
            self.session.commit()
        finally:
            self.session.rollback()
        self._open()
        return False

    def _any(self, table: str) -> bool:
        return self.session.row(f"SELECT 1 FROM {table} LIMIT 1") is not None  # noqa: S608

    def _open(self) -> None:
        """Let rows come and go in any order."""
        self.session.begin()
        try:
            self.say("filling")
            for table, reference, rule in self.session.rows(_FOREIGN + "ORDER BY oid"):
                if table not in KEYS:
                    continue
                self.session.run(
                    f"INSERT INTO {REFERENCES} (name, reference, rule) VALUES ($1, $2, $3)",  # noqa: S608
                    table,
                    reference,
                    rule.removesuffix(" NOT VALID"),
                )
                self.session.run(f'ALTER TABLE {table} DROP CONSTRAINT "{reference}"')
            for table in KEYS:
                self.session.run(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            self.session.commit()
        finally:
            self.session.rollback()

    def parts(self, table: str) -> list[Part]:
        """What was copied of a table, in the order of its keys."""
        rows = self.session.rows(
            f"SELECT upto, rows, digest FROM {PARTS} WHERE name = $1",  # noqa: S608
            table,
        )
        found = [Part(_key(upto), count, bytes(digest)) for upto, count, digest in rows]
        return sorted(found, key=lambda part: part.upto)

    def drop(self, stale: Iterable[tuple[str, Sequence[Part], Sequence[Span]]]) -> None:
        """Take out parts that are another thing now, of all tables at once."""
        self.session.begin()
        try:
            for table, parts, spans in stale:
                for span in spans:
                    where, values = between(table, span, ' COLLATE "C"')
                    self.session.run(f"DELETE FROM {table} {where}", *values)  # noqa: S608
                for part in parts:
                    self.session.run(
                        f"DELETE FROM {PARTS} WHERE name = $1 AND upto = $2",  # noqa: S608
                        table,
                        _packed(part.upto),
                    )
            self.session.commit()
        finally:
            self.session.rollback()

    def put(self, table: str, columns: Sequence[str], rows: Sequence[Row], part: Part) -> None:
        """Copy a part, and note that it is there."""
        self.session.begin()
        try:
            self.session.copy(table, columns, rows)
            self.session.run(
                f"INSERT INTO {PARTS} (name, upto, rows, digest) VALUES ($1, $2, $3, $4)",  # noqa: S608
                table,
                _packed(part.upto),
                part.rows,
                part.digest,
            )
            self.session.commit()
        finally:
            self.session.rollback()

    def analyze(self) -> None:
        """Have the server know what it holds: it plans by that."""
        for table in KEYS:
            self.session.run(f"ANALYZE {table}")

    def finish(self, last: dict[str, int | None], place: str) -> None:
        """Make it a database that a service may use, once the file says that it is the one.

        `last` are the greatest ids that were ever given, `place` is what the data directory is
        called where its database is elsewhere.
        """
        self.session.begin()
        try:
            for table in TOTALS:
                kept = table.removesuffix("_total")
                self.session.run(f"UPDATE {table} SET bytes = 0")  # noqa: S608
                self.session.run(
                    f"UPDATE {table} SET bytes = "  # noqa: S608
                    f"(SELECT CAST(coalesce(sum(size), 0) AS BIGINT) FROM {kept}) WHERE id = 0"
                )
            for table, number in last.items():
                go_on_from(self.session, table, number)
            for table in KEYS:
                self.session.run(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            for table, reference, rule in self.session.rows(
                f"SELECT name, reference, rule FROM {REFERENCES}"  # noqa: S608
            ):
                # They held in the file: what is there is looked at when nobody waits for it.
                self.session.run(
                    f'ALTER TABLE {table} ADD CONSTRAINT "{reference}" {rule} NOT VALID'
                )
            self.session.run(f"DELETE FROM {REFERENCES}")  # noqa: S608
            # Its files were imported already, under the name that it has now.
            self.session.run(
                "INSERT INTO configuration_places (place, file, at, version, trouble) "
                "SELECT $1, file, at, version, trouble FROM configuration_places "
                "WHERE place = '' ON CONFLICT DO NOTHING",
                place,
            )
            self.say("ready")
            self.session.commit()
        finally:
            self.session.rollback()

    def say(self, state: str) -> None:
        self.session.run(f"UPDATE {MOVES} SET state = $1", state)  # noqa: S608

    def validate(self) -> None:
        """Have the server look at all references; nobody waits for it."""
        for table, reference, _ in self.session.rows(_FOREIGN + "AND NOT convalidated"):
            self.session.run(f'ALTER TABLE {table} VALIDATE CONSTRAINT "{reference}"')

    def forget(self) -> None:
        """Take away what only the move needed."""
        for table in (REFERENCES, PARTS, MOVES):
            self.session.run(f"DROP TABLE {table}")


def _is_there(session: PostgreSQLSession) -> bool:
    return (
        session.row(
            "SELECT 1 FROM pg_tables WHERE tablename = $1 AND schemaname = current_schema()", MOVES
        )
        is not None
    )


def _packed(key: Key) -> bytes:
    return msgspec.msgpack.encode(key)


def _key(packed: bytes) -> Key:
    return tuple(msgspec.msgpack.decode(bytes(packed)))
