"""Many processes spend one account at once, and die at it."""

from __future__ import annotations

import asyncio
import random
import subprocess

import pytest

from tests.ledger.books import Books
from tests.ledger.test_reaper import Start, line, start
from xinghe.accounts import Members, Tokens
from xinghe.ledger import Ledger

__all__ = ["start"]
PROCESSES, KILLED, ROUNDS = 4, 2, 6


async def counted(process: subprocess.Popen[str]) -> int:
    """What it says at the end, behind its log."""
    while not (said := await line(process)).isdigit():
        assert said, "it ended without a word"
    return int(said)


@pytest.mark.slow
async def test_killed_while_they_race(
    start: Start, ledger: Ledger, books: Books, tokens: Tokens, members: Members
) -> None:
    """Each tries 100 requests of 20, which hold 40; the balance and the cap run out."""
    dice = random.Random(5)
    await tokens.cap("2", 17_000)
    for round_ in range(ROUNDS):
        await members.grant("a", 3_000)
        running = [start("spend") for _ in range(PROCESSES)]
        before = len(await books.usage())
        async with asyncio.timeout(60):
            while len(await books.usage()) == before:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        for process in running[:KILLED]:
            await asyncio.sleep(dice.uniform(0, 0.05))
            process.kill()
        told = sum([await counted(process) for process in running[KILLED:]])
        for process in running:
            process.wait()
        await ledger.reap()
        await books.settled()
        spent = len(await books.usage())
        assert await books.balance() == (1_000 + 3_000 * (round_ + 1) - 20 * spent, 0)
        assert told <= spent - before
    cap = (await tokens.list("a"))[1].cap
    assert cap is not None
    assert cap.used == 20 * spent <= cap.amount
