"""However many orders a wallet has had, those that wait are counted by their own index."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from tests.kit.postgres import ON_SQLITE
from xinghe.accounts import Members
from xinghe.sales import orders, packages
from xinghe.sales.packages import Offer
from xinghe.storage import Connection, Database


class Explaining:
    """A connection that explains each query of orders that counts."""

    def __init__(self, connection: Connection) -> None:
        self.plans: list[str] = []
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        if sql.startswith("SELECT count(*)"):
            plan = self._connection.rows(f"EXPLAIN QUERY PLAN {sql}", *parameters)
            self.plans.append("\n".join(str(row[-1]) for row in plan))
        return self._connection.rows(sql, *parameters)


@ON_SQLITE
async def test_orders_that_wait_are_found_by_an_index(tmp_path: Path, database_url: str) -> None:
    def place(connection: Connection) -> list[str]:
        offer = Offer(name="p", amount=1000, price=990, currency="CNY")
        package = packages.create(connection, "test", offer).id
        seen = Explaining(connection)
        orders.place(
            cast("Connection", seen),
            "test", package, 1, member_id=1, provider="manual", days=7,
        )  # fmt: skip
        return seen.plans

    async with await Database.open(tmp_path, database_url) as database:
        await Members(database).create("a", amount=0)
        [plan] = await database.write(place)
    assert "USING INDEX orders_waiting (wallet_id=? AND expires_at>?)" in plan
