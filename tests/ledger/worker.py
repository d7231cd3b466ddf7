"""A process of its own on a ledger: `worker DIR SECRET ACTION`.

`wait` opens one stream of 5 + 3 tokens and one non-stream hold, takes a checkpoint, says `ready`
and sleeps. `queue` opens a stream that never starts, `begin` one that has just started; each says
`ready` and sleeps. `spend` runs 100 requests of 20 micro-Tokens, 10 at a time, and says how many
were not refused.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.ledger.books import hold, used
from xinghe.accounts import Accounts, Principal
from xinghe.core import Rate, Usage
from xinghe.ledger import InsufficientTokens, Ledger, SpendCapReached
from xinghe.storage import Database


async def wait(ledger: Ledger, database: Database, principal: Principal) -> None:
    stream, whole = Usage(), Usage()
    async with (
        hold(ledger, principal, stream),
        hold(ledger, principal, whole, stream=False),
    ):
        used(stream, 5, 3)
        used(whole, 5, 3)
        ledger.checkpoint()
        assert await database.drain() == 0
        # A child that outlives its parent must not keep the parent's holds alive.
        subprocess.Popen(["sleep", "5"], close_fds=False, stdout=subprocess.DEVNULL)  # noqa: ASYNC220
        print("ready", flush=True)
        await asyncio.sleep(600)


async def queue(ledger: Ledger, database: Database, principal: Principal) -> None:
    async with hold(ledger, principal, Usage()):
        await asyncio.sleep(1.2)  # a regular checkpoint passes it by
        print("ready", flush=True)
        await asyncio.sleep(600)


async def begin(ledger: Ledger, database: Database, principal: Principal) -> None:
    usage = Usage()
    async with hold(ledger, principal, usage):
        usage.started = True
        query = "SELECT max(started) FROM holds WHERE state = 'open'"
        while not await database.read(lambda c: c.value(query)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        print("ready", flush=True)
        await asyncio.sleep(600)


async def spend(ledger: Ledger, database: Database, principal: Principal) -> None:
    async def one() -> bool:
        usage = Usage()
        try:
            async with hold(ledger, principal, usage, rate=Rate(20, 0, 0), amount=40):
                used(usage, 1, 0)
                usage.finished = True
        except (InsufficientTokens, SpendCapReached):
            return False
        return True

    done = 0
    for _ in range(10):
        done += sum(await asyncio.gather(*(one() for _ in range(10))))
    print(done, flush=True)


async def main(directory: str, secret: str, action: str) -> None:
    async with await Database.open(Path(directory)) as database:
        principal = await Accounts(database).authenticate(secret)
        assert principal is not None
        ledger = Ledger(database)
        await ledger.start()
        try:
            actions = {"wait": wait, "queue": queue, "begin": begin, "spend": spend}
            await actions[action](ledger, database, principal)
        finally:
            await ledger.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
