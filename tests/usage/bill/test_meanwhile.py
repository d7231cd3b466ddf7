"""Bills that are read while people spend: each is of one moment, and adds up to the micro-Token."""

from __future__ import annotations

import asyncio
from contextlib import closing
from itertools import count

import pytest

from tests.usage.bill.test_adds_up import OPERATOR, micro
from tests.usage.small import CLASS, OTHER, PUPIL, SCHOOL, Small
from xinghe.api.account.bill.making import Bills, asked
from xinghe.api.account.questions import BillQuery
from xinghe.catalog.rate import Rate
from xinghe.core import MICRO
from xinghe.ledger import holds, lots, withdrawals
from xinghe.ledger.holds import Counts
from xinghe.settings import Bill
from xinghe.storage import Connection, now
from xinghe.usage.bill import charges

ASKING = BillQuery(group="school")
LATE = MICRO
"""How long before it is written something is settled: it counts in a past that others read."""


class Spending:
    """Whatever is used is given at once: what both wallets have together stays the same."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def begin(self, connection: Connection) -> None:
        connection.run("UPDATE groups SET parent_id = 2 WHERE id = 1")
        for wallet in CLASS, SCHOOL:
            lots.credit(connection, wallet, 10**6, kind="grant", at=now() - LATE)

    def act(self, connection: Connection) -> None:
        connection.lock([CLASS, SCHOOL])
        number, at = next(self._numbers), now() - LATE
        hold = holds.Hold(
            id=f"hold-{number}",
            member_id=(PUPIL, OTHER)[number % 2],
            token_id=PUPIL,
            wallets=(CLASS,),
            budgets=(),
            request_id=f"as-{number}",
            model=f"model {number % 5}",
            amount=10,
            owner="x",
            stream=False,
            prompt_tokens=1,
            rate=Rate(5, 5, 5),
            created_at=at,
        )
        assert isinstance(holds.reserve(connection, hold), holds.Reserved)
        assert holds.capture(connection, hold.id, Counts(1, 1, 0), at=at)
        lots.credit(connection, CLASS, 10, kind="gift", at=at)
        withdrawals.transfer(connection, SCHOOL, CLASS, 1, at=at, notes=("", ""))


async def test_every_bill_adds_up(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charges, "PAGE", 5)
    monkeypatch.setattr(charges, "SECONDS", 0.0)
    spending, bills, over = Spending(), Bills(small.database, Bill()), asyncio.Event()
    await small.database.write(spending.begin)
    for _ in range(20):
        await small.database.write(spending.act)

    async def spend() -> None:
        while not over.is_set():
            await small.database.write(spending.act)

    async def read() -> int:
        subject = await bills.subject(OPERATOR, ASKING)
        at = now()
        with closing(await bills.read(subject, asked(ASKING, at), at)) as ready:
            bill = await bills.whole(ready, 1000)
            rows = [row async for some in bills.rows(ready) for row in some]
        assert micro(bill.closing) == 2 * 10**6
        assert bill.used.spent == sum(line.spent for line in bill.lines)
        assert bill.closing == rows[-1].amount == sum(row.amount for row in rows[:-1])
        return bill.used.requests

    running = asyncio.create_task(spend())
    try:
        used = [await read() for _ in range(8)]
    finally:
        over.set()
        await running
    assert 20 <= used[0] < used[-1]
