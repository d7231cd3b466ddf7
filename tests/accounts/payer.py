"""Spending an account's Tokens through the books, in this process or in one of its own.

`payer DIR URL ACCOUNT AMOUNT [send]` spends, says `captured` and waits; with `send` it also runs
the outbox meanwhile.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from functools import partial
from pathlib import Path

from xinghe.accounts import Members, Tokens
from xinghe.accounts.outbox import Outbox
from xinghe.catalog.rate import Rate
from xinghe.ledger import holds
from xinghe.ledger.holds import Counts
from xinghe.storage import Connection, Database, now


async def spend(database: Database, account: str, amount: int, held: int | None = None) -> None:
    """Hold `held` micro-Tokens (as many as it costs, unless told), then capture `amount`."""
    found = await Members(database).get(account)
    tokens = await Tokens(database).list(account)
    if not tokens:
        await Tokens(database).create(account)
        tokens = await Tokens(database).list(account)
    hold = holds.Hold(
        id=secrets.token_hex(15),
        member_id=found.id,
        token_id=tokens[0].id,
        wallets=(found.id,),
        budgets=(),
        request_id="as-0123456789",
        model="m",
        amount=amount if held is None else held,
        owner="test",
        stream=False,
        prompt_tokens=amount,
        rate=Rate(input=1, output=0, cached_input=0),
        created_at=now(),
    )
    assert await database.write(partial(holds.reserve, hold=hold)) == holds.Reserved(found.id, ())
    usage = Counts(amount, 0, 0)
    await database.write(partial(holds.capture, hold_id=hold.id, usage=usage, at=now()))


def waiting(connection: Connection) -> int:
    """How many notices the outbox holds."""
    count: int = connection.value("SELECT count(*) FROM outbox")
    return count


async def main(directory: str, url: str, account: str, amount: str, *send: str) -> None:
    async with await Database.open(Path(directory), url) as database:
        outbox = Outbox(database, poll=0.02)
        if send:
            await outbox.start()
        await spend(database, account, int(amount))
        print("captured", flush=True)
        await asyncio.sleep(60)
        await outbox.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
