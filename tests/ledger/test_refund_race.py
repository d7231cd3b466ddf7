"""Refunds beside spending: what is refunded was not spent, whoever comes first."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from tests.ledger.books import Books, hold, used
from xinghe.accounts import AccountError, Principal
from xinghe.core import Usage
from xinghe.ledger import Ledger
from xinghe.ledger.holding import InsufficientTokens
from xinghe.sales import orders, packages, refunds
from xinghe.sales.packages import Offer
from xinghe.storage import Connection


def bought(connection: Connection, wallet: int, models: tuple[str, ...] | None) -> int:
    offer = Offer(name="p", amount=1000, price=990, currency="CNY", models=models)
    package = packages.create(connection, "test", offer)
    placed = orders.place(
        connection, "test", package.id, wallet, member_id=wallet, provider="manual", days=7
    )
    return orders.pay(connection, "test", placed.id, "bank").id


@pytest.mark.parametrize("models", [None, ("m",)])
async def test_a_refund_races_spending(
    ledger: Ledger,
    principal: Principal,
    books: Books,
    models: tuple[str, ...] | None,
) -> None:
    order = await books.database.write(lambda c: bought(c, principal.member_id, models))

    async def request() -> None:
        usage = Usage()
        with contextlib.suppress(InsufficientTokens):
            async with hold(ledger, principal, usage, amount=100):
                used(usage, 5, 10)
                usage.finished = True
                await asyncio.sleep(0)

    async def refund(number: int) -> None:
        with contextlib.suppress(AccountError):
            await books.database.write(
                lambda c: refunds.refund(
                    c, "test", order, 90, reason="x", reference=f"{number}", created_by=None
                )
            )

    await asyncio.gather(*(each for n in range(30) for each in (request(), refund(n))))
    await books.agree()
    back = await books.database.read(lambda c: refunds.of_order(c, order))
    total = sum(each.amount for each in back)
    assert 0 < total <= 1000
    assert sum(each.price for each in back) == 990 * total // 1000
    assert sum(await books.balance()) == 2000 - total - 100 * len(await books.usage())
