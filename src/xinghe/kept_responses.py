"""Responses that clients asked to store: what is kept, for how long, and `kept_responses`.

Nothing is kept unless the operator wants it, and what is kept is a member's own.
"""

from __future__ import annotations

import asyncio
import math
from functools import partial

import msgspec

from xinghe.core import MICRO
from xinghe.regular import Regular
from xinghe.settings import Responses
from xinghe.storage import BoundedTable, Connection, Database, Locks, StorageError, now

DAY = 86400 * MICRO
SWEEP_SECONDS = 60.0
ROW_BYTES = 256
"""What a row takes beside its texts, about."""
MOST_WAITING = 64 * 1024 * 1024
"""Bytes that may wait for the database: while more do, nothing new is kept."""
LONGEST = 1000
"""Responses that one may go on from, in a row."""

TABLE = BoundedTable("kept_responses")


class KeptResponse(msgspec.Struct, frozen=True):
    """One under the `name` that its client knows; `at` is in microseconds UTC.

    `input` and `response` are JSON: the items that were sent, without those of the `previous` one,
    and what was answered.
    """

    name: str
    previous: str | None
    model: str
    input: bytes
    response: bytes
    at: int

    @property
    def size(self) -> int:
        return len(self.input) + len(self.response) + ROW_BYTES


class NotKept(Exception):
    """A response is not kept, or no more; the text is its name."""


class ResponseStore:
    """Keeps responses for as long as the settings say, the oldest of all going first."""

    def __init__(self, database: Database, settings: Responses) -> None:
        self._database = database
        self._keeps = settings.keep
        self._lasting = settings.keep_days * DAY
        self._max_bytes = settings.max_bytes
        self._waiting = 0
        self.sweeping = Regular(self.sweep, SWEEP_SECONDS, "kept_responses_not_swept", StorageError)
        """Drops what is too old; all of it where nothing is to be kept any more."""

    def takes(self, size: int) -> bool:
        """Whether one whose request has so many bytes would be kept."""
        room = self._waiting + size <= MOST_WAITING
        return self._keeps and room and size <= self._max_bytes // 8

    def keep(self, member_id: int, response: KeptResponse) -> None:
        """Have one written; whatever is read afterwards for the member finds it."""
        saved: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting += response.size
        saved.add_done_callback(lambda _: self._written(response.size))
        operation = partial(
            store_response, member_id=member_id, response=response, max_bytes=self._max_bytes
        )
        self._database.enqueue(operation, saved, locks=Locks(member_id), deferred=False)

    async def find(self, member_id: int, name: str) -> KeptResponse:
        """Raises `NotKept`, `StorageError`."""
        return (await self.chain(member_id, name, most=1))[-1]

    async def chain(
        self, member_id: int, name: str, *, most: int = LONGEST, max_bytes: float = math.inf
    ) -> list[KeptResponse]:
        """One with all that it goes on from, the oldest first; of `most` at most.

        Raises `NotKept` for what is missing, also what is beyond `LONGEST` or `max_bytes`, and
        `StorageError`.
        """
        if "\0" in name:  # PostgreSQL takes none in a text
            raise NotKept(name)
        # In the writer's queue, behind what was handed in before.
        return await self._database.write(
            partial(
                find_chain,
                member_id=member_id,
                name=name,
                since=self._since(),
                most=most,
                max_bytes=max_bytes,
            ),
            locks=Locks(member_id),
        )

    async def delete(self, member_id: int, name: str) -> None:
        """Raises `NotKept`, `StorageError`."""
        await self._database.write(
            partial(delete_response, member_id=member_id, name=name, since=self._since()),
            locks=Locks(member_id),
        )

    async def sweep(self) -> int:
        """Drop what is too old or too much; returns how many. Raises `StorageError`."""
        return await TABLE.sweep(self._database, before=self._since(), max_bytes=self._max_bytes)

    def _since(self) -> int:
        return now() - self._lasting if self._keeps else now() + 1

    def _written(self, size: int) -> None:
        self._waiting -= size


def store_response(
    connection: Connection, *, member_id: int, response: KeptResponse, max_bytes: int
) -> None:
    """Write one down, unless its member was deleted meanwhile; the oldest go if it is too much."""
    connection.run(
        "INSERT INTO kept_responses (member_id, name, previous, model, input, response, size, at) "
        "SELECT id, $1, $2, $3, $4, $5, $6, $7 FROM members WHERE id = $8 AND deleted_at IS NULL "
        "ON CONFLICT (member_id, name) DO NOTHING",
        response.name,
        response.previous,
        response.model,
        response.input,
        response.response,
        response.size,
        response.at,
        member_id,
    )
    TABLE.make_room(connection, max_bytes)


def find_chain(
    connection: Connection, *, member_id: int, name: str, since: int, most: int, max_bytes: float
) -> list[KeptResponse]:
    """Raises `NotKept`."""
    found: list[KeptResponse] = []
    size, asked = 0, name
    while len(found) < most:
        row = connection.row(
            "SELECT name, previous, model, input, response, at FROM kept_responses "
            "WHERE member_id = $1 AND name = $2 AND at >= $3",
            member_id,
            asked,
            since,
        )
        if row is None:
            raise NotKept(asked)
        found.append(KeptResponse(*row))
        size += found[-1].size
        if found[-1].previous is None or most == 1:
            return found[::-1]
        asked = found[-1].previous
        if size > max_bytes:
            break
    raise NotKept(asked)


def delete_response(connection: Connection, *, member_id: int, name: str, since: int) -> None:
    """Raises `NotKept`."""
    where = "member_id = $1 AND name = $2 AND at >= $3"
    if not TABLE.delete(connection, where, member_id, name, since):
        raise NotKept(name)
