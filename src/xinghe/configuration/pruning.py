"""Old versions go: so many are kept, and of what was stored all that one of these still has."""

from __future__ import annotations

from xinghe.configuration.tables import lists_in, newest
from xinghe.storage import Connection

AT_ONCE = 50
"""Versions that go with one change: whoever makes it does not wait for thousands."""


def prune(connection: Connection, keep: int) -> None:
    """Delete the oldest versions but for the newest `keep`, and what none of the others has.

    The audit log stays: it says who has changed what.
    """
    last = newest(connection) - keep
    gone = connection.rows(
        "SELECT id, content, file FROM configurations WHERE id <= $1 ORDER BY id LIMIT $2",
        *(last, AT_ONCE),
    )
    if not gone:
        return
    connection.run("DELETE FROM configurations WHERE id <= $1", gone[-1][0])
    trees = {bytes(each) for row in gone for each in row[1:] if each is not None}
    dropped = {each for each in trees if not _is_used(connection, each)}
    lists = set[bytes]().union(*(lists_in(connection, each) for each in dropped))
    for each in dropped:
        connection.run("DELETE FROM configuration_contents WHERE digest = $1", each)
    for each in _unused(connection, lists):
        connection.run("DELETE FROM configuration_contents WHERE digest = $1", each)


def _is_used(connection: Connection, tree: bytes) -> bool:
    query = (
        "SELECT 1 FROM configurations WHERE content = $1 OR file = $1 "
        "UNION ALL SELECT 1 FROM configuration_places WHERE file = $1 LIMIT 1"
    )
    return connection.row(query, tree) is not None


def _unused(connection: Connection, lists: set[bytes]) -> set[bytes]:
    """Those that no tree names any more."""
    trees = connection.rows(
        "SELECT content FROM configurations UNION SELECT file FROM configurations "
        "WHERE file IS NOT NULL UNION SELECT file FROM configuration_places WHERE file IS NOT NULL"
    )
    left = set(lists)
    for (tree,) in trees:
        if not left:
            break
        left -= lists_in(connection, bytes(tree))
    return left
