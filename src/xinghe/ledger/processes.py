"""Who is alive among the processes of several machines on one PostgreSQL database.

Each has a row that it renews. One whose row was not renewed for long is fenced by whoever sees it:
the row is deleted, and comes never again. From then on its holds are settled by others, and it
learns of it when it finds its row gone. All times are the database's own.

While the database is away, nobody can renew anything. So only a process that has itself renewed
its row for long, without a gap, takes another one for dead.

SQLite is the database of one data directory, where file locks tell it.
"""

from collections.abc import Collection

from xinghe.core import MICRO
from xinghe.storage import Connection

BEAT_SECONDS = 5.0
GAP = 10 * MICRO
LAPSE = 30 * MICRO


def register(connection: Connection, *, boot_id: str) -> None:
    """Give a process its row; before it has its first hold."""
    connection.run(
        "INSERT INTO processes (boot_id, seen_at, steady_since) VALUES ($1, $2, $2)",
        boot_id,
        _now(connection),
    )


def beat(connection: Connection, *, boot_id: str) -> set[str]:
    """Renew a row, fence who has lapsed; returns the boot ids of all that are left.

    The caller's is not among them when it was fenced.
    """
    at = _now(connection)
    connection.run(
        "UPDATE processes SET seen_at = $1, "
        "steady_since = CASE WHEN seen_at < $2 THEN $1 ELSE steady_since END WHERE boot_id = $3",
        at,
        at - GAP,
        boot_id,
    )
    connection.run(
        "DELETE FROM processes WHERE seen_at < $1 AND EXISTS ("
        "SELECT 1 FROM processes WHERE boot_id = $2 AND steady_since <= $1)",
        at - LAPSE,
        boot_id,
    )
    return {found for (found,) in connection.rows("SELECT boot_id FROM processes")}


def leads(connection: Connection, *, boot_id: str) -> bool:
    """Whether of all that have lately renewed their rows this process has done so for longest.

    It does what one of them all shall do. Where it stops, another one leads within `GAP`; for a
    moment two may take themselves for the one.
    """
    first = connection.value(
        "SELECT boot_id FROM processes WHERE seen_at >= $1 ORDER BY steady_since, boot_id LIMIT 1",
        _now(connection) - GAP,
    )
    return bool(first == boot_id)


def any_but(connection: Connection, *, own: Collection[str]) -> bool:
    """Whether a process lives, as far as its row says, that is none of these by its boot id."""
    rows = connection.rows(
        "SELECT boot_id FROM processes WHERE seen_at >= $1", _now(connection) - LAPSE
    )
    return any(boot_id not in own for (boot_id,) in rows)


def leave(connection: Connection, *, boot_id: str) -> None:
    """Take a row away: the process has ended."""
    connection.run("DELETE FROM processes WHERE boot_id = $1", boot_id)


def _now(connection: Connection) -> int:
    at: int = connection.value(
        "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
    )
    return at
