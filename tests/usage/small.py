"""Books that a test can count by hand: entries at any time, of anybody, with their roll-ups."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, TypeVar

from xinghe.ledger import rollups
from xinghe.ledger.windows import DAY, HOUR
from xinghe.storage import Connection, Database
from xinghe.usage import entries
from xinghe.usage.lines import Filters, Line
from xinghe.usage.pages import Page, Position
from xinghe.usage.scope import Scope
from xinghe.usage.series import Bucket, Place, SeriesParams, Summing

T = TypeVar("T")

NOON = 20_000 * DAY + 12 * HOUR
"""2024-10-04T12:00:00Z"""

MEMBER, PUPIL, OTHER, STRANGER = 1, 2, 3, 4
CLASS = 5
"""The wallet of the group that pays for `PUPIL` and `OTHER`."""
SCHOOL = 6
"""That of another group."""
ME, THEM = Scope(member=MEMBER), Scope(wallets=(CLASS,))


class Small:
    def __init__(self, database: Database) -> None:
        self.database = database
        self._numbers = itertools.count(1)
        self._due: list[Callable[[Connection], object]] = []
        """What is to be written before the next read, in one transaction."""

    def fill(self, connection: Connection) -> None:
        for wallet in range(1, SCHOOL + 1):
            connection.run("INSERT INTO wallets (id, created_at) VALUES ($1, 0)", wallet)
        for member in MEMBER, PUPIL, OTHER, STRANGER:
            connection.run(
                "INSERT INTO members (id, appid, name, created_at) VALUES ($1, $2, $3, 0)",
                member,
                f"app-{member}",
                f"m{member}",
            )
            for token in member, member + 10:
                connection.run(
                    "INSERT INTO tokens (id, member_id, public_id, digest, name, scopes, "
                    "created_at) VALUES ($1, $2, $3, $4, 't', '[]', 0)",
                    token,
                    member,
                    f"public{token:04}",
                    bytes(32),
                )
        connection.run_many(
            "INSERT INTO groups (id, name, wallet_id, created_at) VALUES ($1, $2, $3, 0)",
            [(1, "class", CLASS), (2, "school", SCHOOL)],
        )

    def used(
        self,
        at: int,
        member: int = MEMBER,
        *,
        wallet: int = 0,
        token: int = 0,
        model: str = "m",
        cost: int = 10,
        first_ms: int | None = None,
    ) -> None:
        """A request of 3 + 2 tokens that took a second; they are numbered from 1 on."""
        number = next(self._numbers)

        def write(connection: Connection) -> None:
            payer, by = wallet or member, token or member
            connection.run(
                "INSERT INTO holds (id, wallet_id, member_id, token_id, request_id, model, "
                "amount, state, owner, stream, prompt_tokens, input_rate, output_rate, "
                "cached_rate, created_at, resolved_at) VALUES ($1, $2, $3, $4, $5, $6, 99, "
                "'captured', 'x', 1, 3, 2, 2, 1, $7, $7)",
                f"hold-{number}",
                payer,
                member,
                by,
                f"as-{number}",
                model,
                at,
            )
            connection.run(
                "INSERT INTO entries (wallet_id, member_id, at, kind, amount, balance_after, "
                "request_id, hold_id, model, token_id, prompt_tokens, "
                "completion_tokens, input_rate, output_rate, cached_rate, search_rate, first_ms, "
                "total_ms, finish) VALUES ($1, $2, $3, 'usage', $4, 0, $5, $6, $7, $8, 3, 2, "
                "2, 2, 1, 0, $9, 1000, 'normal')",
                payer,
                member,
                at,
                -cost,
                f"as-{number}",
                f"hold-{number}",
                model,
                by,
                first_ms,
            )
            rollups.add(
                connection,
                wallet_id=payer,
                at=at,
                member_id=member,
                token_id=by,
                model=model,
                counts=(3, 2, 0, 0),
                spend=cost,
                told=rollups.Told(first_ms=first_ms, total_ms=1000),
            )

        self._due.append(write)

    def booked(self, at: int, amount: int, kind: str = "grant", wallet: int = MEMBER) -> None:
        self._due.append(
            lambda c: c.run(
                "INSERT INTO entries (wallet_id, at, kind, amount, balance_after) "
                "VALUES ($1, $2, $3, $4, 0)",
                wallet,
                at,
                kind,
                amount,
            )
        )

    async def read(self, operation: Callable[..., T], *given: Any, **named: Any) -> T:
        if self._due:
            due, self._due = self._due, []
            await self.database.write(lambda c: [write(c) for write in due])
        return await self.database.read(lambda c: operation(c, *given, **named))

    async def page(
        self, scope: Scope, *, after: Position | None = None, limit: int = 50, **filters: Any
    ) -> Page[Line]:
        return await self.read(entries.page, scope, Filters(**filters), after=after, limit=limit)

    async def all(self, scope: Scope, limit: int, **filters: Any) -> list[Line]:
        """Page by page."""
        found: list[Line] = []
        after: Position | None = None
        while True:
            page = await self.page(scope, after=after, limit=limit, **filters)
            assert len(page.rows) <= limit
            found += page.rows
            if page.next is None:
                return found
            assert after is None or page.next < after
            after = page.next

    async def buckets(self, scope: Scope, limit: int = 1000, **asked: Any) -> list[Bucket]:
        """Page by page."""
        asked = {"since": NOON - 400 * DAY, "until": NOON + 400 * DAY} | asked
        found: list[Bucket] = []
        start: Place | None = None
        while True:
            summing = Summing(scope, SeriesParams(**asked), start, limit=limit)
            while not await self.read(summing.step):
                pass
            page, start = summing.page()
            assert len(page) <= limit
            found += page
            if start is None:
                return found
