"""Very many lots and holds at once: in batches, with the requests between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import apsw
import pytest

from tests.kit.sqlite import raw, session
from tests.ledger.books import Books, hold
from tests.ledger.many import EXPIRED, GRANT, SPENT, fill, leave_open
from xinghe.accounts import Principal, Standing
from xinghe.catalog.rate import Rate
from xinghe.core import Usage
from xinghe.ledger import InsufficientTokens, Ledger
from xinghe.storage import Database
from xinghe.storage.batches import ROWS

LEFT = GRANT - SPENT
LARGEST = 4 * ROWS
"""Changes of one transaction: a lot that expires is three of them (lot, account, entry)."""


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with await Database.open(tmp_path) as opened:
        yield opened


@pytest.fixture
def principal() -> Principal:
    return payer(1)


def payer(account: int) -> Principal:
    standing = Standing(wallets=(account,))
    return Principal(
        account,
        f"app-{account}",
        f"member {account}",
        account,
        "t",
        frozenset(),
        None,
        standing=standing,
    )


class Transactions:
    """How many rows each commit of a database has changed."""

    def __init__(self, database: Database) -> None:
        self._connection = raw(database)
        self._before = self._connection.total_changes()
        self.sizes: list[int] = []
        self._connection.set_commit_hook(self._committing)

    def _committing(self) -> bool:
        total = self._connection.total_changes()
        self.sizes.append(total - self._before)
        self._before = total
        return False


async def served(ledger: Ledger, task: Awaitable[object]) -> tuple[int, float]:
    """How many requests were reserved and settled beside a task, and the longest wait in s."""
    running = asyncio.ensure_future(task)
    count, longest = 0, 0.0
    while not running.done():
        usage = Usage()
        at = time.monotonic()
        async with hold(ledger, payer(2), usage, rate=Rate(0, 0, 0), amount=10):
            longest = max(longest, time.monotonic() - at)
            usage.finished = True
        count += 1
    await running
    return count, longest


async def expire_beside_requests(database: Database, accounts: int, lots: int) -> None:
    fill(session(database), accounts, lots=lots)
    ledger = Ledger(database)
    await ledger.start()
    books = Books(database, payer(1))
    transactions = Transactions(database)
    began = time.monotonic()
    count, longest = await served(ledger, ledger.sweep())
    print(
        f"{accounts * lots} lots in {time.monotonic() - began:.1f} s, {len(transactions.sizes)} "
        f"transactions, {count} requests, the longest reservation took {longest * 1000:.0f} ms"
    )
    assert max(transactions.sizes) <= LARGEST
    # At least one between each two batches.
    assert count >= accounts * lots * 3 / LARGEST / 2
    await books.settled()
    assert await books.balance() == (LEFT, 0)
    await ledger.stop()


async def test_3000_lots_of_as_many_accounts(database: Database) -> None:
    await expire_beside_requests(database, 3000, 1)


async def test_3000_lots_of_few_accounts(database: Database) -> None:
    await expire_beside_requests(database, 3, 1000)


@pytest.mark.slow
@pytest.mark.parametrize(("accounts", "lots"), [(100_000, 1), (2, 50_000)])
async def test_100_000_lots(database: Database, accounts: int, lots: int) -> None:
    await expire_beside_requests(database, accounts, lots)


async def test_a_reservation_on_an_account_of_many_expired_lots(database: Database) -> None:
    fill(session(database), 2, lots=2000)
    ledger = Ledger(database)
    await ledger.start()
    transactions = Transactions(database)

    async def reserve() -> None:
        with pytest.raises(InsufficientTokens) as refused:
            async with hold(ledger, payer(1), Usage(), amount=LEFT + 1):
                pytest.fail("entered on expired Tokens")
        assert refused.value.available == LEFT
        async with hold(ledger, payer(1), Usage(), amount=LEFT):
            pass

    await served(ledger, reserve())
    assert max(transactions.sizes) <= LARGEST
    await Books(database, payer(1)).settled()
    await ledger.stop()


async def test_a_request_takes_from_few_of_many_lots(database: Database) -> None:
    """What it costs to charge does not grow with the lots that an account has."""
    steps: list[int] = []

    def seen(event: dict[str, object]) -> None:
        status = event["stmt_status"]
        assert isinstance(status, dict)
        steps.append(status["SQLITE_STMTSTATUS_VM_STEP"])

    far = 2**62
    fill(session(database), 2, lots=3000, at=far)
    ledger = Ledger(database)
    await ledger.start()
    raw(database).trace_v2(apsw.SQLITE_TRACE_PROFILE, seen)
    usage = Usage()
    async with hold(ledger, payer(1), usage, rate=Rate(1, 0, 0), amount=3 * EXPIRED):
        usage.prompt_tokens, usage.finished = 2 * EXPIRED + 1, True
    assert await database.drain() == 0
    raw(database).trace_v2(0, None)
    assert max(steps) < 1000
    await Books(database, payer(1)).settled()
    await ledger.stop()


async def reap_beside_requests(database: Database, count: int) -> None:
    fill(session(database), 2, lots=1, at=2**62)
    amount = 1
    grant = "UPDATE {} SET {} = {} + ? WHERE {} = 1"
    with raw(database) as connection:
        connection.execute(
            "INSERT INTO entries (wallet_id, at, kind, amount, balance_after) "
            "SELECT 1, 1, 'grant', ?1, available + ?1 FROM wallets WHERE id = 1",
            (count * amount,),
        )
        connection.execute(
            "INSERT INTO lots (wallet_id, kind, amount, remaining, created_at, note) "
            "VALUES (1, 'grant', ?1, ?1, 1, '')",
            (count * amount,),
        )
        connection.execute(grant.format("wallets", "available", "available", "id"), (count,))
    leave_open(session(database), count, owner="a dead one", amount=amount)
    ledger = Ledger(database)
    await ledger._appear()
    books = Books(database, payer(1))
    transactions = Transactions(database)
    began = time.monotonic()
    served_count, longest = await served(ledger, ledger.reap())
    print(
        f"{count} holds in {time.monotonic() - began:.1f} s, {served_count} requests, "
        f"the longest reservation took {longest * 1000:.0f} ms"
    )
    assert max(transactions.sizes) <= 2 * LARGEST
    assert served_count >= count / ROWS / 2
    await books.settled()
    assert len(await books.usage()) == (count + 1) // 2 + 1
    ledger.owner.release()


async def test_the_holds_of_a_dead_process_are_settled_in_batches(database: Database) -> None:
    await reap_beside_requests(database, 2000)


@pytest.mark.slow
async def test_100_000_holds_of_a_dead_process(database: Database) -> None:
    await reap_beside_requests(database, 100_000)
