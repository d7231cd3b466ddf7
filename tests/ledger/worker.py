"""A process of its own on a ledger: `worker DIR URL SECRET ACTION`.

`wait` opens one stream of 5 + 3 tokens and one non-stream hold, takes a checkpoint, says `ready`
and sleeps. `queue` opens a stream that never starts, `begin` one that has just started; each says
`ready` and sleeps. `spend` runs 100 requests of 20 micro-Tokens, 10 at a time, and says how many
were not refused.

`owe` locks the database away, then ends a whole answer and a stream of 5 + 3 tokens and one that
costs nothing, goes on to 5 + 7 tokens with another stream, says `ready` and sleeps.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.ledger.books import away, hold, used
from xinghe.accounts import Principal, Principals
from xinghe.catalog.rate import Rate
from xinghe.core import Usage
from xinghe.ledger import InsufficientTokens, Ledger, OverBudget
from xinghe.ledger.settlements import LINGER_SECONDS
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
        except (InsufficientTokens, OverBudget):
            return False
        return True

    done = 0
    for _ in range(10):
        done += sum(await asyncio.gather(*(one() for _ in range(10))))
    print(done, flush=True)


async def owe(ledger: Ledger, database: Database, principal: Principal) -> None:
    free, whole, stream, running = Usage(), Usage(), Usage(), Usage()
    ended = [hold(ledger, principal, each, stream=each is stream) for each in (free, whole, stream)]
    async with hold(ledger, principal, running):
        for each in ended:
            await each.__aenter__()
        used(running, 5, 3)
        ledger.checkpoint()
        assert await database.drain() == 0
        with away(database) as lock:
            lock()
            for usage in (whole, stream):
                used(usage, 5, 3)
                usage.finished = True
            await asyncio.gather(*(each.__aexit__(None) for each in ended))
            used(running, 5, 6)
            ledger.checkpoint()  # it waits for the database
            await asyncio.sleep(2 * LINGER_SECONDS)
            used(running, 5, 7)
            ledger.checkpoint()
            await asyncio.to_thread(ledger.owner.journal.write([]).result)
            print("ready", flush=True)
            await asyncio.sleep(600)


async def main(directory: str, url: str, secret: str, action: str) -> None:
    async with await Database.open(Path(directory), url) as database:
        principal = await Principals(database).authenticate(secret)
        assert principal is not None
        ledger = Ledger(database)
        await ledger.start()
        try:
            actions = {"wait": wait, "queue": queue, "begin": begin, "spend": spend, "owe": owe}
            await actions[action](ledger, database, principal)
        finally:
            await ledger.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
