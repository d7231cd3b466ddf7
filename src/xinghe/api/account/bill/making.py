"""Bills as whoever may see them asks for them: for the API, and for the command line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

import msgspec

from xinghe.accounts import Principal
from xinghe.api.account.asked import about
from xinghe.api.account.bill import shown
from xinghe.api.account.bill.schema import BillRow, BillShown
from xinghe.api.account.export_throttle import ExportThrottle
from xinghe.api.account.questions import BillQuery
from xinghe.api.account.shown import told
from xinghe.api.errors import refuse
from xinghe.api.query import zone_of
from xinghe.core import tokens
from xinghe.settings import Bill
from xinghe.storage import Connection, Database
from xinghe.usage.bill.booked import Booked, balance, booked
from xinghe.usage.bill.charges import Charges, last_entries
from xinghe.usage.bill.lines import Charge, Lines, Sums
from xinghe.usage.bill.month import Month, month_of, name_of
from xinghe.usage.scope import by_index

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


class Ready(msgspec.Struct, frozen=True):
    """All that a bill tells, as it was at one moment, `made_at`. Whoever has it closes it."""

    subject: Subject
    month: Month
    made_at: int
    opening: int
    booked: list[Booked]
    charges: Charges

    def close(self) -> None:
        self.charges.lines.close()


class Bills:
    """Every method raises `ApiError` for what may not be asked so, and `StorageError`."""

    def __init__(
        self, database: Database, settings: Bill, turns: ExportThrottle | None = None
    ) -> None:
        self._database = database
        self._settings = settings
        self._turns = turns or ExportThrottle()
        self._long = asyncio.Semaphore(AT_ONCE)

    async def subject(self, principal: Principal, query: BillQuery) -> Subject:
        """Whom it is about."""
        if query.group is not None and query.member is not None:
            raise refuse(
                "member", query.member, "no member beside a group, whose bill tells of all"
            )
        return await self._database.read(partial(_subject, principal=principal, query=query))

    async def read(self, subject: Subject, month: Month, made_at: int) -> Ready:
        """Read a bill, with others by turns."""
        begin = partial(_begin, subject=subject, month=month, made_at=made_at)
        ready = await self._database.read(begin)
        try:
            if not await self._database.read(ready.charges.step):
                async with self._long:
                    while not await self._step(ready.charges):
                        pass
        except BaseException:
            ready.close()
            raise
        return ready

    async def whole(self, ready: Ready, limit: int) -> BillShown:
        """With at most so many members, and lines."""
        month, subject = ready.month, ready.subject
        lines, members, total = await asyncio.to_thread(_first, ready.charges.lines, limit)
        names = await self._database.read(
            partial(shown.called, lines=lines, members=[number for number, _ in members])
        )
        zone = zone_of(month.zone)
        credited = sum(each.amount for each in ready.booked if each.amount > 0)
        debited = credited - sum(each.amount for each in ready.booked)
        rest = total - sum((line.sums for line in lines), Sums())
        others = total - sum((used for _, used in members), Sums())
        return BillShown(
            month=month.name,
            since=told(month.since, zone),
            until=told(month.until, zone),
            zone=month.zone,
            running=month.running,
            made_at=told(ready.made_at, zone),
            issuer=self._settings.issuer,
            note=self._settings.note.strip(),
            appid=subject.appid,
            name=subject.name,
            group=subject.group,
            opening=tokens(ready.opening),
            booked=[shown.booked(each) for each in ready.booked],
            credited=tokens(credited),
            debited=tokens(debited),
            used=shown.sums(total),
            closing=tokens(ready.opening + credited - debited - total.spend),
            members=[shown.member(*each, names) for each in members],
            other_members=shown.sums(others) if others.requests else None,
            lines=[shown.line(each, zone, names) for each in lines],
            other_lines=shown.sums(rest) if rest.requests else None,
        )

    async def rows(self, ready: Ready) -> AsyncGenerator[list[BillRow], None]:
        """All of it, row by row."""
        month, owner, lines = ready.month, ready.subject.owner, ready.charges.lines
        row, zone = partial(BillRow, month=month.name, wallet=owner), zone_of(month.zone)
        yield [
            row(row="opening", amount=tokens(ready.opening)),
            *(
                row(row="booked", kind=kind, entries=entries, amount=tokens(amount))
                for kind, entries, amount in map(msgspec.structs.astuple, ready.booked)
            ),
        ]
        closing = ready.opening + sum(each.amount for each in ready.booked)
        page = await asyncio.to_thread(lines.page, ROWS)
        while page:
            names = await self._database.read(partial(shown.called, lines=page))
            closing -= sum(line.sums.spend for line in page)
            yield [shown.row(each, zone, names, month.name, owner) for each in page]
            page = await asyncio.to_thread(lines.page, ROWS, page[-1])
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

    async def _step(self, charges: Charges) -> bool:
        async with self._turns.turn():
            return await self._database.read(charges.step)


def asked(query: BillQuery, at: int) -> Month:
    """The month that is asked for; without one, the running. Raises `ApiError`."""
    zone_of(query.zone)
    month = month_of(query.month, query.zone, at)
    if month is None:
        running = name_of(at, query.zone)
        raise refuse("month", query.month, f"a month from 1970-01 to {running}, the running one")
    return month


def _begin(connection: Connection, *, subject: Subject, month: Month, made_at: int) -> Ready:
    """What is known of a bill before its lines are."""
    wallets = subject.wallets
    with by_index(connection):
        opening = balance(connection, wallets, month.since, groups=subject.group is not None)
        beside = booked(connection, wallets, month.since, month.until)
        last = last_entries(connection, wallets)
    charges = Charges(last, month.since, month.until)
    return Ready(subject, month, made_at, opening, beside, charges)


def _first(lines: Lines, limit: int) -> tuple[list[Charge], list[tuple[int, Sums]], Sums]:
    return lines.page(limit), lines.members(limit), lines.total()


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
