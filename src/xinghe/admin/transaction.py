"""A write of a service, in one transaction with what the call that asks for it wants besides."""

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec

from xinghe.accounts.audit import newest
from xinghe.api.errors import ApiError, Errors, shown
from xinghe.api.exchange import Exchange, Headers
from xinghe.storage import Connection, Database, Locks

T = TypeVar("T")

ETAG = re.compile('"?([0-9]{1,18})"?')

Hook = Callable[[Connection], None]
Revision = Callable[[Connection], int]
"""Which version there is of a thing: what its `ETag` says."""


class Transaction(msgspec.Struct):
    """A database as a service sees it, whose writes are also checked before, and kept after."""

    database: Database
    before: Hook | None = None
    after: Callable[[Connection, object], None] | None = None

    async def read(self, operation: Callable[[Connection], T]) -> T:
        return await self.database.read(operation)

    async def write(
        self,
        operation: Callable[[Connection], T],
        *,
        locks: Locks | None = None,
        idle: bool = False,
    ) -> T:
        def whole(connection: Connection) -> T:
            if self.before is not None:
                self.before(connection)
            result = operation(connection)
            if self.after is not None:
                self.after(connection, result)
            return result

        result = await self.database.write(whole, locks=locks, idle=idle)
        self.before = None  # what was checked has changed by our own hand
        return result


class Together(msgspec.Struct):
    """A database as services see it that only gathers what they would write: all is done, or
    nothing.
    """

    database: Database
    operations: list[Hook] = []

    async def read(self, operation: Callable[[Connection], T]) -> T:
        return await self.database.read(operation)

    async def write(
        self, operation: Hook, *, locks: Locks | None = None, idle: bool = False
    ) -> None:
        self.operations.append(operation)

    def then(self, found: Callable[[Connection], T]) -> Callable[[Connection], T]:
        """All of it as one operation, and what is found after it."""

        def whole(connection: Connection) -> T:
            for each in self.operations:
                each(connection)
            return found(connection)

        return whole


def audited(subject: str) -> Revision:
    """The number of a thing's newest row in the audit log."""
    return lambda connection: newest(connection, subject)


def unless_changed(exchange: Exchange, revision: Revision) -> Hook | None:
    """What `If-Match` asks for: that nobody has changed a thing since it was read.

    Raises `ApiError`.
    """
    values = exchange.header_values(b"if-match")
    if not values or values == ["*"]:
        return None
    expected = ETAG.fullmatch(values[0]) if len(values) == 1 else None
    if expected is None:
        raise ApiError(
            Errors.MALFORMED_JSON,
            f"the header If-Match is {shown(', '.join(values))}, allowed: the ETag of an answer, "
            "or *",
        )

    def check(connection: Connection) -> None:
        # Whatever is audited changes this row: whoever changes anything else waits from here on.
        connection.run("UPDATE revision SET number = number + 1")
        if revision(connection) != int(expected[1]):
            raise ApiError(
                Errors.CHANGED_MEANWHILE,
                "it was changed since it was read (header If-Match): read it again, then decide",
            )

    return check


def etag(version: int) -> Headers:
    return [(b"etag", f'"{version}"'.encode())]
