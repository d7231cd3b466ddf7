"""A place for what is too much to be kept in memory, and of which nothing is to last."""

import apsw

from xinghe.storage.sqlite import SQLiteSession

CACHE = 4096
"""KiB that are kept in memory; what is more lies in a file."""


def scratch() -> SQLiteSession:
    """An empty database in a file without a name: it is gone when it is closed.

    It is all one transaction. Raises `StorageUnavailable`, as its statements do.
    """
    connection = apsw.Connection("")
    connection.pragma("cache_size", -CACHE)
    connection.pragma("journal_mode", "off")
    session = SQLiteSession(connection)
    session.begin()
    return session
