"""What a test asks of the ledger, and how it runs a request through it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from xinghe.accounts import Principal
from xinghe.catalog.rate import Rate
from xinghe.core import Usage
from xinghe.ledger import Entry, Filters, Holding, Ledger, check, latest
from xinghe.storage import Database

ROOT = Path(__file__).parents[2]
WORKER = [sys.executable, "-m", "tests.ledger.worker"]

RATE = Rate(input=4, output=8, cached_input=1, search=25)


def hold(ledger: Ledger, principal: Principal, usage: Usage, **changes: Any) -> Holding:
    """A hold of 100 micro-Tokens for a stream with a prompt of 5 tokens."""
    asked = {
        "request_id": "as-0123456789",
        "model": "m",
        "rate": RATE,
        "amount": 100,
        "prompt_tokens": 5,
        "stream": True,
    }
    return ledger.hold(principal, **{**asked, **changes}, usage=usage)


def used(usage: Usage, prompt: int, completion: int, cached: int = 0) -> None:
    """What generation does: the engine has begun, and counts."""
    usage.started = True
    usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens = prompt, completion, cached


async def left_by(error: BaseException, holding: Holding, usage: Usage, **state: Any) -> None:
    """A request that counted 5 + 3 tokens before it ended with an error."""
    async with holding:
        used(usage, 5, 3)
        for name, value in state.items():
            setattr(usage, name, value)
        raise error


@contextmanager
def away(database: Database) -> Iterator[Callable[[], None]]:
    """What is called for somebody else to hold the database locked, until the end."""
    session = database.backend.session()

    def lock() -> None:
        session.begin()
        if session.dialect == "postgresql":
            session.run("LOCK TABLE holds IN EXCLUSIVE MODE")

    try:
        yield lock
    finally:
        session.rollback()
        session.close()


class Books:
    """One member's side of the ledger."""

    def __init__(self, database: Database, principal: Principal) -> None:
        self.database = database
        self.principal = principal

    async def balance(self) -> tuple[int, int]:
        """Available and held, when all that was queued is written."""
        assert await self.database.drain() == 0
        query = "SELECT available, held FROM wallets WHERE id = $1"
        found = await self.database.read(lambda c: c.rows(query, self.principal.member_id))
        return found[0][0], found[0][1]

    async def usage(self) -> list[Entry]:
        """The usage entries, the newest first."""
        assert await self.database.drain() == 0
        entries = await self.database.read(
            partial(latest, filters=Filters(wallet_id=self.principal.member_id), limit=100_000)
        )
        return [entry for entry in entries if entry.kind == "usage"]

    async def agree(self) -> None:
        assert await self.database.drain() == 0
        assert await self.database.read(check) == []

    async def settled(self) -> None:
        """The books agree, and no hold is open."""
        await self.agree()
        assert (await self.balance())[1] == 0
