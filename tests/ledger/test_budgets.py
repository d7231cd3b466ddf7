"""Budgets: what counts, in which window, and what a refusal leaves."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from pathlib import Path

import msgspec
import pytest

from tests.kit.postgres import ON_POSTGRES
from tests.ledger.books import RATE, Books, hold, used
from tests.ledger.test_windows import at
from xinghe.accounts import Members, Principal, Principals, Tokens, budget_tables
from xinghe.accounts.principal import standing
from xinghe.core import Usage
from xinghe.ledger import (
    Budget,
    BudgetReached,
    InsufficientTokens,
    Ledger,
    OverBudget,
    Window,
    check,
)
from xinghe.ledger.holds import Counts, Hold, Outcome, Reserved, capture, release, reserve
from xinghe.storage import Database

TOTAL = Window("total")


async def again(database: Database, principal: Principal) -> Principal:
    """The same, as it is known with the next request."""
    found = await database.read(lambda c: standing(c, principal.member_id, principal.token_id))
    return msgspec.structs.replace(principal, standing=found)


async def make(
    database: Database, principal: Principal, amount: int, window: Window = TOTAL, **changes: object
) -> Principal:
    """Give the token another budget."""
    fields = {"unit": "tokens", "token_id": principal.token_id} | changes
    new = budget_tables.NewBudget(amount=amount, window=window, **fields)  # type: ignore[arg-type]
    await database.write(partial(budget_tables.create, actor="test", new=new))
    return await again(database, principal)


async def state(database: Database) -> list[int | None]:
    """What is used of each budget."""
    assert await database.drain() == 0
    return [each.used for each in await database.read(lambda c: budget_tables.states(c, "0 = 0"))]


async def spend(ledger: Ledger, principal: Principal, amount: int = 100) -> None:
    """A request that holds 100 micro-Tokens and costs 44."""
    usage = Usage()
    async with hold(ledger, principal, usage, amount=amount):
        used(usage, 5, 3)
        usage.finished = True


async def test_what_was_spent_and_what_is_held_count(
    ledger: Ledger, principal: Principal, books: Books, database: Database
) -> None:
    payer = await make(database, principal, 150)
    await spend(ledger, payer)
    assert await state(database) == [44]
    async with hold(ledger, payer, Usage(), amount=100):
        assert await state(database) == [144]
        before = await books.balance()
        with pytest.raises(OverBudget) as refused:
            async with hold(ledger, payer, Usage(), amount=7):
                pytest.fail("entered beyond the budget")
        assert refused.value.reached == BudgetReached(payer.budgets[0], 144, 7, None)
        assert await books.balance() == before
        assert await database.read(lambda c: c.value("SELECT count(*) FROM holds")) == 2
        async with hold(ledger, payer, Usage(), amount=6):
            await books.agree()
    assert await state(database) == [44]


async def test_of_many_at_once_one_takes_what_is_left_for_one(
    ledger: Ledger, principal: Principal, books: Books, database: Database
) -> None:
    payer = await make(database, principal, 100)
    outcomes = await asyncio.gather(
        *(spend(ledger, payer, amount=100) for _ in range(50)), return_exceptions=True
    )
    assert outcomes.count(None) == 1
    assert [type(each) for each in outcomes].count(OverBudget) == 49
    assert await state(database) == [44]


async def test_all_budgets_of_a_request_count(
    ledger: Ledger, principal: Principal, books: Books, database: Database
) -> None:
    payer = await make(database, principal, 1000)
    payer = await make(database, payer, 2, unit="requests", window=Window("day"))
    payer = await make(database, payer, 500, token_id=None, member_id=principal.member_id)
    payer = await make(database, payer, 70, token_id=None, model="other")
    payer = await make(database, payer, 900, token_id=None)
    assert len(payer.budgets) == 5
    await spend(ledger, payer)
    assert await state(database) == [44, 1, 44, 0, 44]
    async with hold(ledger, payer, Usage()):
        with pytest.raises(OverBudget) as refused:
            await spend(ledger, payer)
        assert refused.value.reached.budget.unit == "requests"
        assert (refused.value.reached.used, refused.value.reached.needed) == (2, 1)
    # What was released gives its place back.
    await spend(ledger, payer)
    assert await state(database) == [88, 2, 88, 0, 88]
    await books.agree()


async def test_another_token_has_no_part_in_it(
    ledger: Ledger,
    principals: Principals,
    tokens: Tokens,
    principal: Principal,
    books: Books,
    database: Database,
) -> None:
    payer = await make(database, principal, 150)
    other = await principals.authenticate(await tokens.create("a"))
    assert other is not None
    for _ in range(5):
        await spend(ledger, other)
    await spend(ledger, payer)
    assert await state(database) == [44]


async def test_the_balance_bounds_as_well(
    ledger: Ledger, principal: Principal, books: Books, database: Database
) -> None:
    payer = await make(database, principal, 10_000)
    with pytest.raises(InsufficientTokens):
        await spend(ledger, payer, amount=1001)
    assert await state(database) == [0]


@pytest.mark.parametrize("window", [TOTAL, Window("day"), Window("month", rolling=True)])
async def test_one_that_comes_later_counts_what_was_before(
    ledger: Ledger, principal: Principal, books: Books, database: Database, window: Window
) -> None:
    await spend(ledger, principal)
    async with hold(ledger, principal, Usage(), amount=30):
        payer = await make(database, principal, 80, window)
        assert await state(database) == [74]
        await books.agree()
        with pytest.raises(OverBudget):
            await spend(ledger, payer, amount=7)
    assert await state(database) == [44]
    await books.agree()


async def test_what_ends_holds_nobody_up(
    ledger: Ledger, principal: Principal, books: Books, database: Database, tokens: Tokens
) -> None:
    payer = await make(database, principal, 100)
    async with hold(ledger, payer, Usage()):
        await tokens.cap(str(principal.token_id), None)
        await spend(ledger, await again(database, payer))
    await books.agree()
    assert (await tokens.list("a"))[0].cap is None


async def test_a_hold_counts_in_the_window_in_which_it_was_opened(
    principal: Principal, books: Books, database: Database
) -> None:
    """Also if it is settled later; and a new window begins at nothing."""
    night, morning = at("Asia/Shanghai", 2027, 11, 30, 23, 59), at("Asia/Shanghai", 2027, 12, 1)
    payer = await make(database, principal, 150, Window("month", zone="Asia/Shanghai"))
    (budget,) = payer.budgets

    async def opened(name: str, moment: int, amount: int) -> Outcome:
        one = principal.member_id
        hold = Hold(
            name, one, principal.token_id, (one,), (budget,), "as-0", "m", amount, "o", False, 5,
            RATE, moment,
        )  # fmt: skip
        return await database.write(partial(reserve, hold=hold))

    def reserved(moment: int) -> Reserved:
        return Reserved(principal.member_id, ((budget.id, budget.window.part(moment)),))

    async def windows() -> list[int]:
        rows = await database.read(
            lambda c: c.rows("SELECT used FROM budget_windows ORDER BY since")
        )
        return [each for (each,) in rows if each]

    assert await opened("a", night, 75) == await opened("b", night, 75) == reserved(night)
    assert await opened("c", night, 1) == BudgetReached(budget, 150, 1, morning)
    await database.write(partial(capture, hold_id="a", usage=Counts(5, 3, 0), at=morning + 1))
    assert await windows() == [119]
    assert await opened("c", morning, 75) == reserved(morning)
    assert await windows() == [75]  # what lies before the window is dropped
    await database.write(partial(release, hold_id="b", at=morning + 1))
    await books.agree()
    await database.write(partial(capture, hold_id="c", usage=Counts(5, 3, 0), at=morning + 1))
    assert await windows() == [44]


async def test_a_rolling_window_opens_as_its_parts_leave_it(
    principal: Principal, books: Books, database: Database
) -> None:
    minute = 60_000_000
    begin = at("UTC", 2027, 11, 30, 12, 0)
    budget = Budget(1, "tokens", Window("hour", rolling=True), 100, "the access token")
    await make(database, principal, 100, budget.window)

    async def opened(minutes: int, amount: int) -> Outcome:
        one = principal.member_id
        hold = Hold(
            f"{minutes} {amount}", one, principal.token_id, (one,), (budget,), "as-0", "m", amount,
            "o", False, 5, RATE, begin + minutes * minute,
        )  # fmt: skip
        return await database.write(partial(reserve, hold=hold))

    for minutes, amount in (0, 40), (20, 30), (40, 30):
        assert isinstance(await opened(minutes, amount), Reserved)
    # A part counts until the whole of it is an hour old.
    assert await opened(59, 35) == BudgetReached(budget, 100, 35, begin + 61 * minute)
    assert await opened(59, 40) == BudgetReached(budget, 100, 40, begin + 61 * minute)
    assert await opened(59, 60) == BudgetReached(budget, 100, 60, begin + 81 * minute)
    assert await opened(59, 101) == BudgetReached(budget, 100, 101, None)
    assert isinstance(await opened(61, 40), Reserved)
    assert await opened(62, 1) == BudgetReached(budget, 100, 1, begin + 81 * minute)
    for name in "0 40", "20 30", "40 30", "61 40":
        await database.write(partial(release, hold_id=name, at=begin))


@ON_POSTGRES
async def test_budgets_that_many_share_lock_nobody_out(
    ledger: Ledger, database: Database, members: Members, database_url: str, tmp_path: Path
) -> None:
    """Two services, wallets and budgets in every order: no transaction waits for one that waits."""
    kinds = [
        budget_tables.NewBudget("tokens", 10**9, TOTAL),
        budget_tables.NewBudget("requests", 10**6, Window("day")),
        budget_tables.NewBudget("tokens", 10**9, Window("hour", rolling=True)),
    ]
    for new in kinds:
        await database.write(partial(budget_tables.create, actor="test", new=new))
    shared = await database.read(lambda c: standing(c, 1, 1))
    payers = []
    for number in range(6):
        made = await members.create(f"member {number}", amount=10**6)
        await Tokens(database).create(made.name)
        payers.append(made.id)
    tokens = {token.member_id: token.id for token in await Tokens(database).list()}

    drawn = random.Random(5).choices(range(3), k=240)

    def payer(number: int) -> Principal:
        # Those of one service share no wallet with those of the other.
        one, budget = payers[number % 2 * 3 + number % 3], shared.budgets[drawn[number]]
        found = msgspec.structs.replace(shared, wallets=(one,), budgets=(budget,))
        return Principal(one, "app", "m", tokens[one], "t", frozenset(), None, standing=found)

    (tmp_path / "other").mkdir()
    async with await Database.open(tmp_path / "other", database_url) as elsewhere:
        other = Ledger(elsewhere)
        await other.start()
        await asyncio.gather(
            *(spend(ledger if number % 2 else other, payer(number)) for number in range(240))
        )
        assert await database.drain() == await elsewhere.drain() == 0
        await other.stop()
    assert await state(database) == [drawn.count(0) * 44, drawn.count(1), drawn.count(2) * 44]
    assert await database.read(check) == []
    deadlocks = (
        "SELECT deadlocks FROM pg_stat_database, pg_stat_clear_snapshot() "
        "WHERE datname = current_database()"
    )
    assert await database.read(lambda c: c.value(deadlocks)) == 0
