"""Making a batch of codes, and redeeming one."""

from __future__ import annotations

from typing import Any

from xinghe.core import MICRO
from xinghe.ledger.windows import DAY
from xinghe.sales import codes
from xinghe.sales.codes import Batch, NewBatch, Redeemed
from xinghe.storage import Database, now

TOKEN = MICRO


async def made(database: Database, **changes: Any) -> tuple[Batch, list[str]]:
    """Two codes for 5 Tokens each, for a week."""
    new = {"name": "two", "amount": 5 * TOKEN, "count": 2, "expires_at": now() + 7 * DAY}
    return await codes.create(database, "test", NewBatch(**{**new, **changes}))


async def redeem(database: Database, code: str, wallet: int = 1) -> Redeemed:
    return await database.write(lambda c: codes.redeem(c, "test", code, wallet, member_id=wallet))
