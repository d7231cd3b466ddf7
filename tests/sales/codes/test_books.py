"""The check of the books finds what is off with codes and transfers, and names it."""

from __future__ import annotations

import pytest

from tests.sales.codes.batch import TOKEN, made, redeem
from xinghe.accounts.transfers import transfer
from xinghe.ledger import check
from xinghe.storage import Connection, Database

CREDITED = "a code was credited as its batch says"
OF_ONE = "a redeemed lot is of one code"
WHOLE = "a batch has its codes, and knows how many are redeemed"
ARRIVED = "what was transferred left one wallet and came into the other"
DAMAGE = [
    (CREDITED, "UPDATE code_batches SET amount = amount + 1"),
    (CREDITED, "UPDATE code_batches SET models = '[\"m\"]'"),
    (CREDITED, "UPDATE codes SET wallet_id = 2 WHERE wallet_id = 1"),
    (CREDITED, "UPDATE lots SET kind = 'grant' WHERE kind = 'code'"),
    (
        OF_ONE,
        "UPDATE codes SET redeemed_at = NULL, wallet_id = NULL, member_id = NULL, lot_id = NULL "
        "WHERE wallet_id = 1",
    ),
    (OF_ONE, "UPDATE lots SET kind = 'code' WHERE kind = 'grant'"),
    (WHOLE, "UPDATE code_batches SET redeemed = 0"),
    (WHOLE, "UPDATE code_batches SET count = count + 1"),
    (WHOLE, "DELETE FROM codes WHERE redeemed_at IS NULL"),
    (ARRIVED, "DELETE FROM entries WHERE kind = 'transfer' AND amount > 0"),
    (ARRIVED, "UPDATE transfers SET amount = amount + 1"),
    (ARRIVED, "UPDATE entries SET amount = amount - 1 WHERE kind = 'transfer' AND amount < 0"),
]


@pytest.mark.parametrize(("rule", "damage"), DAMAGE)
async def test_damage(database: Database, rule: str, damage: str) -> None:
    _, (code, _) = await made(database)
    await redeem(database, code)
    await database.write(lambda c: transfer(c, "test", 1, 2, 7 * TOKEN, "why"))
    assert await database.read(check) == []

    def harm(connection: Connection) -> int:
        if connection.dialect == "sqlite":
            for each in ("changed", "deleted"):
                connection.run(f"DROP TRIGGER entries_are_never_{each}")
        else:
            connection.run("ALTER TABLE entries DISABLE TRIGGER ALL")
        return connection.run(damage)

    assert await database.write(harm) > 0
    found = await database.read(check)
    assert rule in {finding.rule for finding in found}
    assert all(finding.where and finding.expected != finding.found for finding in found)
