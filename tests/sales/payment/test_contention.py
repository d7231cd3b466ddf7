"""What providers tell of a wallet's orders, beside all else that is done to the wallet."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from tests.kit.postgres import ON_POSTGRES
from tests.supervisor.kit import until
from xinghe.accounts import AccountError, wallets
from xinghe.accounts.members import create_member
from xinghe.ledger import check
from xinghe.sales import orders, packages, refunds
from xinghe.sales.orders import Order
from xinghe.sales.packages import Offer
from xinghe.sales.payment import FAILED, SUCCEEDED, Event, receive
from xinghe.sales.payment.provider import price
from xinghe.storage import Connection, Database

OFFER = Offer(name="p", amount=1000, price=990, currency="CNY")
GRANTED = 7


def placed(connection: Connection) -> list[Order]:
    wallet = create_member(connection, "test", "buyer", 0).id
    package = packages.create(connection, "test", OFFER).id
    return [
        orders.place(connection, "test", package, wallet, member_id=None, provider="bridge", days=7)
        for _ in range(orders.MOST_OPEN)
    ]


def told(order: Order, number: int) -> Event:
    """A failure, the payment, and its payment once more."""
    if number == 0:
        return Event(f"{order.number}-0", FAILED, order.number)
    sent, reference = f"{order.number}-{number}", f"bank {order.number}"
    return Event(sent, SUCCEEDED, order.number, reference, price(order), order.currency)


def works(order: Order) -> list[Callable[[Connection], Any]]:
    """All that may come at once."""
    return [
        *(lambda c, n=n: receive(c, "bridge", told(order, n)) for n in (0, 1, 2, 1)),
        lambda c: orders.close(c, "test", order.id, "cancelled"),
        lambda c: wallets.grant(c, "test", order.wallet_id, GRANTED),
        lambda c: refunds.refund(
            c, "test", order.id, 100, reason="x", reference="back", created_by=None
        ),
    ]


def deadlocks(url: str) -> int:
    """Told by the server once all who met with one are gone."""
    with psycopg.connect(url, autocommit=True) as connection:

        def count(query: str) -> int:
            [(found,)] = connection.execute(query.encode()).fetchall()
            return int(found)

        mine = "WHERE datname = current_database()"
        others = f"SELECT count(*) FROM pg_stat_activity {mine} AND pid != pg_backend_pid()"
        until("all are gone", lambda: count(others) == 0)
        return count(f"SELECT deadlocks FROM pg_stat_database {mine}")


@ON_POSTGRES
async def test_nobody_waits_for_one_who_waits_for_him(tmp_path: Path, database_url: str) -> None:
    async with (
        await Database.open(tmp_path, database_url) as one,
        await Database.open(tmp_path, database_url) as other,
    ):
        made = await one.write(placed)

        async def do(database: Database, work: Callable[[Connection], Any]) -> None:
            with contextlib.suppress(AccountError):  # nothing to refund yet, or paid already
                await database.write(work)

        every = [work for order in made for work in works(order)]
        await asyncio.gather(*(do((one, other)[n % 2], work) for n, work in enumerate(every)))
        assert await one.read(check) == []
        found = await one.read(lambda c: [orders.order(c, order.id) for order in made])
        assert {order.state for order in found} == {"paid"}
        back = await one.read(lambda c: [refunds.of_order(c, order.id) for order in made])
        wallet = await one.read(lambda c: wallets.wallet(c, made[0].wallet_id))
        refunded = sum(each.amount for of in back for each in of)
        assert wallet.available == len(made) * (OFFER.amount + GRANTED) - refunded
    assert deadlocks(database_url) == 0
