"""Tables of what is kept for a while: rows go with age, and the oldest where all take too much."""

import math
from functools import partial

import msgspec

from xinghe.storage.batches import Allowance, in_batches
from xinghe.storage.connection import Connection
from xinghe.storage.database import Database

DROPPED_ON_THE_WAY = 20
"""Rows that a new one may push out; what is over the limit then goes in batches."""

_OLDEST = "id = (SELECT min(id) FROM {})"
_AGED = "id = (SELECT id FROM {} WHERE at < $1 ORDER BY at LIMIT 1)"


class BoundedTable(msgspec.Struct, frozen=True):
    """One whose rows have an `id`, which grows, and a moment `at`.

    `<name>_total` holds the sum of their sizes, of which triggers take care.
    """

    name: str

    async def sweep(self, database: Database, *, before: int, max_bytes: int) -> int:
        """Drop what is too old or too much; returns how many. Raises `StorageError`."""
        expired = partial(self.any_expired, before=before, max_bytes=max_bytes)
        if not await database.read(expired):
            return 0
        return await in_batches(
            database, partial(self.drop_expired, before=before, max_bytes=max_bytes), 0
        )

    def make_room(self, connection: Connection, max_bytes: int) -> None:
        """Behind a new row, drop the oldest while all take more than `max_bytes`."""
        allowance = Allowance(DROPPED_ON_THE_WAY, math.inf)
        while self._total(connection) > max_bytes and allowance.take():
            self.delete(connection, _OLDEST.format(self.name))

    def drop_expired(
        self,
        connection: Connection,
        allowance: Allowance,
        dropped: int,
        *,
        before: int,
        max_bytes: int,
    ) -> tuple[int, bool]:
        """Drop what is older than a moment, then the oldest while all take more than `max_bytes`.

        Returns how many were dropped, with those before, and whether that is all.
        """
        aged, oldest = _AGED.format(self.name), _OLDEST.format(self.name)
        while self.any_expired(connection, before=before, max_bytes=max_bytes):
            if not allowance.take():
                return dropped, False
            gone = self.delete(connection, aged, before) or self.delete(connection, oldest)
            if not gone:
                break  # nothing is left to drop, whatever the total says
            dropped += gone
        return dropped, True

    def any_expired(self, connection: Connection, *, before: int, max_bytes: int) -> bool:
        """Whether anything is to be dropped."""
        query = f"SELECT EXISTS (SELECT 1 FROM {self.name} WHERE at < $1)"  # noqa: S608
        return bool(connection.value(query, before)) or self._total(connection) > max_bytes

    def delete(self, connection: Connection, where: str, *values: object) -> int:
        """Drop some rows; returns how many."""
        return connection.run(f"DELETE FROM {self.name} WHERE {where}", *values)  # noqa: S608

    def _total(self, connection: Connection) -> int:
        query = f"SELECT CAST(sum(bytes) AS BIGINT) FROM {self.name}_total"  # noqa: S608
        total: int = connection.value(query)
        return total
