"""A PostgreSQL database, made ready."""

from functools import partial
from typing import Any, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from xinghe.storage.connection import StorageAway, StorageError, StorageUnavailable
from xinghe.storage.postgresql.connection import PostgreSQLSession
from xinghe.storage.postgresql.link import Link
from xinghe.storage.sqlite.file import migrations

OLDEST = 14
"""Of PostgreSQL; tests run on 18."""
MIGRATING = 0x78696E676865
"""The number of the advisory lock under which tables are made: `xinghe`."""
MOVES = "moves"
"""The table of what `xinghe migrate` does there: `filling`, `ready`, `moved`, `undone`."""
DEFAULTS = {
    "connect_timeout": "2",
    "keepalives_idle": "10",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "fallback_application_name": "xinghe",
}
"""Where the URL says nothing else; seconds, and milliseconds."""
SETTINGS = (
    # What was committed is on the disk, whatever is usual on that server.
    "SELECT set_config('synchronous_commit', 'on', false) "
    "WHERE current_setting('synchronous_commit') = 'off'; "
    # To compile a statement takes longer than to run one of ours.
    "SET jit = off; "
    "SET idle_in_transaction_session_timeout = {idle}; SET statement_timeout = {statement}; "
    "SET lock_timeout = {lock}; SET default_transaction_read_only = {read_only}"
)
# A service that is stopped within a transaction has wallets locked: others wait no longer.
WRITING = {"idle": 3_000, "statement": 3_000, "lock": 2_000, "read_only": "default"}
READING = {"idle": 0, "statement": 0, "lock": 2_000, "read_only": "on"}
PATIENT = {"idle": 0, "statement": 0, "lock": 0, "read_only": "default"}
"""Milliseconds that each may take at most; 0: as long as it takes."""


class PostgreSQLBackend:
    """Implements `storage.connection.Backend`."""

    locks = True
    local = False
    writers, readers = 2, 2

    def __init__(self, url: str) -> None:
        """Raises `StorageError` for a URL that says nothing of use, without the URL."""
        try:
            given = conninfo_to_dict(url)
        except (psycopg.Error, UnicodeError):
            # What libpq says of it quotes pieces, which may be of the password.
            raise StorageError(
                "database.url cannot be read; in a user's name and password, characters other than "
                "letters and digits are written as %XX"
            ) from None
        self.name = _name(given)
        self._given = {**{k: v for k, v in DEFAULTS.items() if k not in given}, **given}

    @classmethod
    def prepared(cls, url: str, *, create: bool, move: str = "") -> Self:
        """The database of a URL, its tables made or migrated where needed.

        `move` is the one by which an SQLite file says that its books are there. Raises
        `StorageError`, also when it has no tables of Xinghe and `create` is false, and for one
        that `xinghe migrate` has not filled to its end.
        """
        backend = cls(url)
        link = backend._connect(PATIENT)
        try:
            _require(link, create=create)
            _require_whole(link, move)
            _migrate(link)
        except (StorageUnavailable, psycopg.Error) as error:
            # Another program's tables have these names, say.
            raise StorageError(f"{backend.name}: {error}") from error
        finally:
            link.close()
        return backend

    def session(self, *, read_only: bool = False, patient: bool = False) -> PostgreSQLSession:
        settings = READING if read_only else PATIENT if patient else WRITING
        return PostgreSQLSession(partial(self._connect, settings))

    def _connect(self, settings: dict[str, Any]) -> Link:
        hosts = dict(self._given)
        if "," in str(hosts.get("host", hosts.get("hostaddr", ""))):
            # Of several, the one that is the primary now.
            role = "primary" if settings is READING else "read-write"
            hosts.setdefault("target_session_attrs", role)
        try:
            connection: psycopg.Connection[Any] = psycopg.connect(
                make_conninfo("", **hosts), autocommit=True, client_encoding="utf8"
            )
        except psycopg.Error as error:
            why = " ".join(str(error).split())
            raise StorageAway(f"{self.name} cannot be reached: {why}") from error
        link = Link(connection)
        try:
            link.command(SETTINGS.format(**settings))
            link.bounded = settings is WRITING
        except BaseException:
            link.close()
            raise
        return link

    def at_hand(self) -> None:
        return None


def _name(given: dict[str, Any]) -> str:
    hosts = str(given.get("host") or given.get("hostaddr") or "").split(",")
    ports = str(given.get("port") or "").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    places = [f"{host}:{port}" if port else host for host, port in zip(hosts, ports, strict=False)]
    return f"postgresql://{','.join(places)}/{given.get('dbname', '')}"


def _require(link: Link, *, create: bool) -> None:
    """Raises `StorageError` for a server or a database that this program cannot use."""
    number, encoding = link.rows(
        "SELECT current_setting('server_version_num')::bigint, current_setting('server_encoding')",
        (),
    )[0]
    if number < OLDEST * 10000:
        raise StorageUnavailable(f"PostgreSQL {OLDEST} or newer is needed, not {number // 10000}")
    if encoding != "UTF8":
        raise StorageUnavailable(f"the database's encoding must be UTF8, not {encoding}")
    if not create and _version(link) is None:
        raise StorageUnavailable("there is no Xinghe database")


def _require_whole(link: Link, move: str) -> None:
    """Raises `StorageUnavailable` for a database to which the books have not moved yet."""
    if not _has(link, MOVES):
        return
    for of, state in link.rows(f"SELECT move, state FROM {MOVES}", ()):  # noqa: S608
        if state == "filling" or (state == "ready" and of != move):
            raise StorageUnavailable(
                "`xinghe migrate to-postgres` has not filled this database to its end: run it again"
            )


def _has(link: Link, table: str) -> bool:
    # Not by `to_regclass`: it may still go by what was known before a wait for the lock.
    tables = (
        "SELECT 1 FROM pg_tables WHERE tablename = $1 AND schemaname = ANY (current_schemas($2))"
    )
    return bool(link.rows(tables, (table, 0)))


def _version(link: Link) -> int | None:
    if not _has(link, "schema_version"):
        return None
    version: int = link.rows("SELECT version FROM schema_version", ())[0][0]
    return version


def _migrate(link: Link) -> None:
    scripts = list(migrations("xinghe.storage.postgresql"))
    latest = scripts[-1][0]
    if _version(link) == latest:
        return
    link.command("BEGIN")
    # Of two programs that start at once, the second waits here and finds it done.
    link.rows("SELECT pg_advisory_xact_lock($1)", (MIGRATING,))
    current = _version(link)
    if current is not None and current > latest:
        raise StorageUnavailable(
            f"the database is of version {current}, this program knows up to {latest}: "
            "use the newer program"
        )
    for version, script in scripts:
        if current is None or version > current:
            link.command(script)
            link.execute("UPDATE schema_version SET version = $1", (version,))
    link.command("COMMIT")
