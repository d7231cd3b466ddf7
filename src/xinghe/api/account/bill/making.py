"""Bills as whoever may see them asks for them: for the API, and for the command line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from typing import Any

import msgspec

from xinghe.accounts import Principal
from xinghe.api.account.asked import about
from xinghe.api.account.bill import shown
from xinghe.api.account.bill.schema import BillRow, BillShown
from xinghe.api.account.questions import BillQuery
from xinghe.api.account.shown import told
from xinghe.api.errors import refuse
from xinghe.api.query import zone_of
from xinghe.core import tokens
from xinghe.settings import Bill
from xinghe.storage import Connection, Database
from xinghe.usage.bill.booked import Booked, balance, booked
from xinghe.usage.bill.charges import Charge, Charges, Place, Sums
from xinghe.usage.bill.month import Month, month_of, name_of

AT_ONCE = 2
"""Bills of very many entries that are read at once; others wait for them."""
ROWS = 200
"""Rows that are named, and sent, at once."""


class Subject(msgspec.Struct, frozen=True):
    """Whose bill it is: that of a `group` and its groups, or of a member's own wallet."""

    wallets: tuple[int, ...]
    group: str | None = None
    appid: str | None = None
    name: str | None = None

    @property
    def owner(self) -> str:
        return self.group or self.appid or ""


class Begun(msgspec.Struct, frozen=True):
    """What is known of a bill before its lines are."""

    month: Month
    made_at: int
    opening: int
    booked: list[Booked]


class Bills:
    """Every method raises `ApiError` for what may not be asked so, and `StorageError`."""

    def __init__(self, database: Database, settings: Bill) -> None:
        self._database = database
        self._settings = settings
        self._long = asyncio.Semaphore(AT_ONCE)

    async def subject(self, principal: Principal, query: BillQuery) -> Subject:
        """Whom it is about."""
        if query.group is not None and query.member is not None:
            raise refuse(
                "member", query.member, "no member beside a group, whose bill tells of all"
            )
        return await self._database.read(partial(_subject, principal=principal, query=query))

    async def begin(self, subject: Subject, month: Month, made_at: int) -> Begun:
        groups, wallets = subject.group is not None, subject.wallets

        def read(connection: Connection) -> Begun:
            opening = balance(connection, wallets, month.since, groups=groups)
            return Begun(
                month, made_at, opening, booked(connection, wallets, month.since, month.until)
            )

        return await self._database.read(read)

    async def whole(self, subject: Subject, month: Month, made_at: int, limit: int) -> BillShown:
        """With at most so many members, and lines."""
        begun = await self.begin(subject, month, made_at)
        charges = await self._charges(subject, month)
        lines, members = charges.lines[:limit], charges.members[:limit]
        names = await self._database.read(
            partial(shown.called, lines=lines, members=[number for number, _ in members])
        )
        zone, total = zone_of(month.zone), charges.total
        credited = sum(each.amount for each in begun.booked if each.amount > 0)
        debited = credited - sum(each.amount for each in begun.booked)
        rest = total - sum((line.sums for line in lines), Sums())
        others = total - sum((used for _, used in members), Sums())
        return BillShown(
            month=month.name,
            since=told(month.since, zone),
            until=told(month.until, zone),
            zone=month.zone,
            running=month.running,
            made_at=told(made_at, zone),
            issuer=self._settings.issuer,
            note=self._settings.note.strip(),
            appid=subject.appid,
            name=subject.name,
            group=subject.group,
            opening=tokens(begun.opening),
            booked=[shown.booked(each) for each in begun.booked],
            credited=tokens(credited),
            debited=tokens(debited),
            used=shown.sums(total),
            closing=tokens(begun.opening + credited - debited - total.spend),
            members=[shown.member(*each, names) for each in members],
            other_members=shown.sums(others) if others.requests else None,
            lines=[shown.line(each, zone, names) for each in lines],
            other_lines=shown.sums(rest) if rest.requests else None,
        )

    async def rows(
        self, subject: Subject, month: Month, made_at: int
    ) -> AsyncIterator[list[BillRow]]:
        """All of it, row by row."""
        begun = await self.begin(subject, month, made_at)
        row = partial(BillRow, month=month.name, wallet=subject.owner)
        yield [
            row(row="opening", amount=tokens(begun.opening)),
            *(
                row(row="booked", kind=kind, entries=entries, amount=tokens(amount))
                for kind, entries, amount in map(msgspec.structs.astuple, begun.booked)
            ),
        ]
        closing = begun.opening + sum(each.amount for each in begun.booked)
        behind: Place | None = None
        while True:
            charges = await self._charges(subject, month, behind)
            lines = charges.lines
            for first in range(0, len(lines), ROWS):
                some = lines[first : first + ROWS]
                closing -= sum(line.sums.spend for line in some)
                yield await self._rows(some, subject, month)
            behind = charges.behind
            if behind is None:
                break
        yield [row(row="closing", amount=tokens(closing))]

    async def everybody(self, month: Month) -> AsyncGenerator[Subject, None]:
        """Every wallet with entries from before the month's end, each for itself."""
        after = 0
        while True:
            found = await self._database.read(partial(_some, after=after, until=month.until))
            for wallet, group, appid, name in found:
                yield Subject((wallet,), group, appid, name)
                after = wallet
            if not found:
                return

    async def _rows(self, lines: list[Charge], subject: Subject, month: Month) -> list[BillRow]:
        names = await self._database.read(partial(shown.called, lines=lines))
        zone = zone_of(month.zone)
        return [shown.row(each, zone, names, month.name, subject.owner) for each in lines]

    async def _charges(
        self, subject: Subject, month: Month, behind: Place | None = None
    ) -> Charges:
        charges = Charges(subject.wallets, month.since, month.until, behind)
        if not await self._database.read(charges.step):
            async with self._long:
                while not await self._database.read(charges.step):
                    pass
        return charges


def asked(query: BillQuery, at: int) -> Month:
    """The month that is asked for; without one, the running. Raises `ApiError`."""
    zone_of(query.zone)
    month = month_of(query.month, query.zone, at)
    if month is None:
        running = name_of(at, query.zone)
        raise refuse("month", query.month, f"a month from 1970-01 to {running}, the running one")
    return month


def _subject(connection: Connection, principal: Principal, query: BillQuery) -> Subject:
    found, _ = about(connection, principal, query.group, query.member)
    if found.group is not None:
        return Subject(found.scope.wallets, group=found.group)
    assert found.member is not None
    row = connection.row("SELECT appid, name FROM members WHERE id = $1", found.member)
    appid, name = row or (None, None)
    return Subject((found.member,), appid=appid, name=name)


def _some(connection: Connection, after: int, until: int) -> list[tuple[Any, ...]]:
    """Some wallets with entries from before a moment, and whose they are."""
    return connection.rows(
        "SELECT w.id, g.name, m.appid, m.name FROM wallets w "
        "LEFT JOIN groups g ON g.wallet_id = w.id LEFT JOIN members m ON m.id = w.id "
        "WHERE w.id > $1 AND (SELECT e.id FROM entries e WHERE e.wallet_id = w.id AND e.at < $2 "
        "LIMIT 1) IS NOT NULL ORDER BY w.id LIMIT $3",
        after,
        until,
        ROWS,
    )
