"""Spend caps of tokens: what counts, when it begins anew, and what a refusal leaves."""

from __future__ import annotations

import asyncio
import datetime
from functools import partial

import pytest

from tests.ledger.books import RATE, Books, hold, used
from xinghe.accounts import Accounts, Principal
from xinghe.core import Usage
from xinghe.ledger import InsufficientTokens, Ledger, SpendCapReached, holds
from xinghe.ledger.holds import Cap, Counts, Period, period_start
from xinghe.storage import Database

PERIODS: list[Period] = ["day", "month", "total"]


def micro(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    moment = datetime.datetime(year, month, day, hour, minute, tzinfo=datetime.UTC)
    return int(moment.timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("per", "at", "start"),
    [
        ("total", micro(2026, 11, 23), 0),
        ("day", micro(2026, 11, 23) - 1, micro(2026, 11, 22)),
        ("day", micro(2026, 11, 23), micro(2026, 11, 23)),
        ("day", micro(2026, 11, 23, 23, 59), micro(2026, 11, 23)),
        ("month", micro(2026, 12, 1) - 1, micro(2026, 11, 1)),
        ("month", micro(2026, 12, 1), micro(2026, 12, 1)),
        ("month", micro(2028, 2, 29, 12), micro(2028, 2, 1)),
    ],
)
def test_periods_begin_in_utc(per: Period, at: int, start: int) -> None:
    assert period_start(per, at) == start


@pytest.fixture
async def cap(accounts: Accounts, principal: Principal, database: Database) -> Cap:
    """The token of `principal` may spend 150 micro-Tokens in total."""
    found = await accounts.cap_token(str(principal.token_id), 150)
    assert found.cap is not None
    return found.cap


async def row(database: Database, principal: Principal) -> Cap | None:
    assert await database.drain() == 0
    return await database.read(partial(holds.cap_of, token_id=principal.token_id))


async def spend(ledger: Ledger, principal: Principal, amount: int = 100) -> None:
    """A request that holds 100 micro-Tokens and costs 44."""
    usage = Usage()
    async with hold(ledger, principal, usage, amount=amount):
        used(usage, 5, 3)
        usage.finished = True


async def test_what_was_spent_and_what_is_held_count(
    ledger: Ledger, principal: Principal, books: Books, database: Database, cap: Cap
) -> None:
    await spend(ledger, principal)
    assert await row(database, principal) == Cap(150, "total", 0, 44, 0)
    async with hold(ledger, principal, Usage(), amount=100):
        assert await row(database, principal) == Cap(150, "total", 0, 44, 100)
        before = await books.balance()
        with pytest.raises(SpendCapReached) as refused:
            async with hold(ledger, principal, Usage(), amount=7):
                pytest.fail("entered beyond the cap")
        reached = refused.value
        assert (reached.cap, reached.spent, reached.needed) == (150, 144, 7)
        assert reached.period == "total"
        assert await books.balance() == before
        assert await database.read(lambda c: c.value("SELECT count(*) FROM holds")) == 2
        async with hold(ledger, principal, Usage(), amount=6):
            await books.agree()
    assert await row(database, principal) == Cap(150, "total", 0, 44, 0)


async def test_many_at_once_do_not_pass_the_cap(
    ledger: Ledger, principal: Principal, books: Books, database: Database, cap: Cap
) -> None:
    outcomes = await asyncio.gather(
        *(spend(ledger, principal, amount=50) for _ in range(40)), return_exceptions=True
    )
    assert {type(outcome) for outcome in outcomes} == {type(None), SpendCapReached}
    after = await row(database, principal)
    assert after is not None
    assert 0 < after.spent <= 150
    assert after.spent == 44 * outcomes.count(None)


async def test_another_token_of_the_account_has_no_part_in_it(
    ledger: Ledger, accounts: Accounts, principal: Principal, books: Books, cap: Cap
) -> None:
    other = await accounts.authenticate(await accounts.create_token("a"))
    assert other is not None
    for _ in range(5):
        await spend(ledger, other)
    await spend(ledger, principal)


async def test_the_balance_bounds_as_well(
    ledger: Ledger, accounts: Accounts, principal: Principal, books: Books, database: Database
) -> None:
    await accounts.cap_token(str(principal.token_id), 10_000)
    with pytest.raises(InsufficientTokens):
        await spend(ledger, principal, amount=1001)
    after = await row(database, principal)
    assert after is not None
    assert after.held == 0


async def test_a_cap_that_comes_later_counts_what_was_before(
    ledger: Ledger, accounts: Accounts, principal: Principal, books: Books, database: Database
) -> None:
    await spend(ledger, principal)
    async with hold(ledger, principal, Usage(), amount=30):
        for per in PERIODS:
            found = await accounts.cap_token(str(principal.token_id), 80, per)
            assert found.cap is not None
            assert (found.cap.spent, found.cap.held) == (44, 30)
            await books.agree()
        with pytest.raises(SpendCapReached):
            await spend(ledger, principal, amount=7)
        await accounts.cap_token(str(principal.token_id), None)
        await spend(ledger, principal)
        await books.agree()


@pytest.mark.parametrize("per", PERIODS[:2])
async def test_a_new_period_begins_at_nothing(
    principal: Principal, books: Books, database: Database, per: Period
) -> None:
    night, morning = micro(2026, 11, 30, 23, 59), micro(2026, 12, 1)
    token = principal.token_id

    async def reserve(name: str, at: int, amount: int) -> int | Cap | holds.Unswept | None:
        hold = holds.Hold(name, 1, token, "as-0", "m", amount, "o", False, 5, RATE, at)
        return await database.write(partial(holds.reserve, hold=hold))

    async def capture(name: str, at: int) -> bool:
        usage = Counts(5, 3, 0)
        return await database.write(partial(holds.capture, hold_id=name, usage=usage, at=at))

    await database.write(partial(holds.put_cap, token_id=token, amount=150, per=per, at=night))
    assert await reserve("a", night, 75) is await reserve("b", night, 75) is None
    assert await reserve("c", night, 1) == Cap(150, per, period_start(per, night), 0, 150)
    await capture("a", night)
    await books.agree()
    # The other hold is carried over the turn, and the first request of the morning begins.
    assert await reserve("c", morning, 75) is None
    assert await row(database, principal) == Cap(150, per, morning, 0, 150)
    # A settlement of last night that was queued late is last night's.
    await capture("b", night)
    assert await row(database, principal) == Cap(150, per, morning, 0, 75)
    await capture("c", morning + 1)
    assert await row(database, principal) == Cap(150, per, morning, 44, 0)
    await books.agree()
