"""A checkpoint that the database lets wait stands in the journal before the next is due."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from tests.ledger.books import hold, used
from xinghe.accounts import Principal
from xinghe.core import Usage
from xinghe.ledger import Ledger, journal, ledger
from xinghe.ledger.journal import Record
from xinghe.storage import Database, Locks


def recorded(database: Database, owner: str) -> list[Record]:
    descriptor = os.open(database.directory / "owners" / f"{owner}.lock", os.O_RDONLY)
    try:
        return journal.read(descriptor)
    finally:
        os.close(descriptor)


async def test_a_checkpoint_that_waits(
    monkeypatch: pytest.MonkeyPatch, principal: Principal, database: Database
) -> None:
    monkeypatch.setattr(ledger, "CHECKPOINT_SECONDS", 3600.0)
    running = Ledger(database)
    await running.start()
    usage, gate = Usage(), threading.Event()
    try:
        async with hold(running, principal, usage):
            used(usage, 5, 2)
            running.checkpoint()
            assert await database.drain() == 0
            database.enqueue(
                lambda _: gate.wait(60), locks=Locks(principal.member_id, principal.wallets)
            )
            used(usage, 5, 3)
            running.checkpoint()
            async with asyncio.timeout(60):
                while not recorded(database, running.owner.boot_id):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            (found,) = recorded(database, running.owner.boot_id)
            assert (found.kind, found.usage.completion) == ("checkpoint", 3)
            gate.set()
            usage.finished = True
    finally:
        gate.set()
        await running.stop()
