"""What can go wrong with the database, as opposed to with what it was asked."""

from __future__ import annotations

import apsw


class StorageError(Exception):
    """The database cannot be used; the message says why and, where known, what to do."""


class StorageUnavailable(StorageError):
    """The database could not do it now (disk full, locked, unreadable); nothing was changed."""


class StorageRefused(StorageUnavailable):
    """The last commit failed, so this was not even handed in; the next may be taken again."""


class StorageClosed(StorageError):
    """The database was closed; nothing was changed."""


ENVIRONMENT: tuple[type[apsw.Error], ...] = (
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.CorruptError,
    apsw.FullError,
    apsw.IOError,
    apsw.InterruptError,
    apsw.LockedError,
    apsw.NoMemError,
    apsw.NotADBError,
    apsw.PermissionsError,
    apsw.ProtocolError,
    apsw.ReadOnlyError,
)
"""Errors that say nothing of the operation: the same one may succeed when the cause is gone."""
