"""The check of the books finds what is off with orders and refunds, and names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from xinghe.accounts import Members
from xinghe.ledger import check
from xinghe.sales import orders, packages, refunds
from xinghe.sales.packages import Offer
from xinghe.storage import Connection, Database

CREDITED = "a paid order was credited once, as it was ordered"
OF_ONE = "a purchased lot is of one paid order"
UNSPENT = "what was refunded of an order was paid and is not spent"
BOOKED = "the refunds of a wallet are those of its orders"
DAMAGE = [
    (CREDITED, "UPDATE orders SET amount = amount + 1 WHERE state = 'paid'"),
    (CREDITED, "UPDATE orders SET wallet_id = 2 WHERE state = 'paid'"),
    (CREDITED, "UPDATE orders SET models = NULL WHERE state = 'paid'"),
    (CREDITED, "UPDATE lots SET kind = 'grant' WHERE kind = 'purchase'"),
    (OF_ONE, "UPDATE orders SET state = 'open', lot_id = NULL WHERE state = 'paid'"),
    (OF_ONE, "UPDATE lots SET kind = 'purchase' WHERE kind = 'grant'"),
    (UNSPENT, "UPDATE refunds SET amount = amount + 1"),
    (UNSPENT, "UPDATE refunds SET price = 991"),
    (UNSPENT, "UPDATE refunds SET order_id = (SELECT id FROM orders WHERE state = 'open')"),
    (UNSPENT, "UPDATE lots SET remaining = amount WHERE kind = 'purchase'"),
    (BOOKED, "UPDATE refunds SET amount = amount - 1"),
    (BOOKED, "DELETE FROM refunds"),
    (BOOKED, "DELETE FROM entries WHERE kind = 'refund'"),
]


@pytest.mark.parametrize(("rule", "damage"), DAMAGE)
async def test_damage(tmp_path: Path, database_url: str, rule: str, damage: str) -> None:
    async with await Database.open(tmp_path, database_url) as database:
        for name in ("a", "b"):
            await Members(database).create(name, amount=1000)
        await database.write(_sold)
        assert await database.read(check) == []

        def harm(connection: Connection) -> int:
            if connection.dialect == "sqlite":
                connection.run("DROP TRIGGER entries_are_never_deleted")
            else:
                connection.run("ALTER TABLE entries DISABLE TRIGGER ALL")
            return connection.run(damage)

        assert await database.write(harm) > 0
        found = await database.read(check)
        assert rule in {finding.rule for finding in found}
        assert all(finding.where and finding.expected != finding.found for finding in found)


def _sold(connection: Connection) -> None:
    """An order that is paid and refunded in part, and one that is open."""
    offer = Offer(name="p", amount=1000, price=990, currency="CNY", models=("m",))
    package = packages.create(connection, "test", offer)
    first, _ = (
        orders.place(connection, "test", package.id, 1, member_id=1, provider="manual", days=7)
        for _ in range(2)
    )
    orders.pay(connection, "test", first.id, "bank")
    refunds.refund(
        connection, "test", first.id, 300, reason="unused", reference="back", created_by=1
    )
