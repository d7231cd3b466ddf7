"""A process that is killed in the middle: `killed DIR URL WHAT CALL PLACE CODE`.

At the so-maniest of these calls, it is gone.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.sales.codes.batch import TOKEN, made, redeem
from xinghe.accounts import transfers
from xinghe.ledger import lots
from xinghe.sales import codes
from xinghe.storage import Database
from xinghe.storage.batches import Allowance


def dies_at(place: int, call: Callable[..., Any]) -> Callable[..., Any]:
    calls = 0

    def counted(*given: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == place:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*given, **named)

    return counted


CALLS: dict[str, tuple[Any, str]] = {
    "booking": (lots, "book"),
    "row": (Allowance, "take"),
    "audit of a transfer": (transfers, "record"),
    "audit of codes": (codes, "record"),
}


async def main(folder: str, url: str, what: str, call: str, place: str, code: str) -> None:
    async with await Database.open(Path(folder), url, create=False) as database:
        owner, name = CALLS[call]
        setattr(owner, name, dies_at(int(place), getattr(owner, name)))
        if what == "create":
            await made(database, count=1000)
        elif what == "redeem":
            await redeem(database, code, 2)
        else:
            await database.write(lambda c: transfers.transfer(c, "test", 1, 2, 7 * TOKEN, "why"))


asyncio.run(main(*sys.argv[1:]))
