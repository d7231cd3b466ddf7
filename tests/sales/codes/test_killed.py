"""Whoever is killed in the middle has done nothing, and it can be done anew."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.kit.command import environment
from tests.ledger.books import ROOT
from tests.sales.codes.batch import TOKEN, made, redeem
from xinghe.accounts.transfers import transfer
from xinghe.ledger import check
from xinghe.sales import codes
from xinghe.storage import Database

BALANCES = "SELECT id, available FROM wallets ORDER BY id"


def killed(database: Database, url: str, what: str, call: str, place: int, code: str = "") -> None:
    command = [sys.executable, "-m", "tests.sales.codes.killed"]
    ended = subprocess.run(
        [*command, str(database.directory), url, what, call, str(place), code],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr


@pytest.mark.parametrize("place", [1, 2])
@pytest.mark.parametrize("call", ["booking", "audit of a transfer"])
async def test_a_transfer(database: Database, database_url: str, call: str, place: int) -> None:
    killed(database, database_url, "transfer", call, place)
    assert await database.read(lambda c: c.rows(BALANCES)) == [(1, 1000 * TOKEN), (2, 0)]
    assert await database.read(check) == []
    await database.write(lambda c: transfer(c, "test", 1, 2, 7 * TOKEN, "why"))
    assert await database.read(lambda c: c.rows(BALANCES)) == [(1, 993 * TOKEN), (2, 7 * TOKEN)]
    assert await database.read(check) == []


@pytest.mark.parametrize("call", ["booking", "audit of codes"])
async def test_who_redeems(database: Database, database_url: str, call: str) -> None:
    _, (code, _) = await made(database)
    killed(database, database_url, "redeem", call, 1, code)
    assert await database.read(lambda c: c.value("SELECT count(redeemed_at) FROM codes")) == 0
    assert await database.read(check) == []
    assert (await redeem(database, code, 2)).wallet.available == 5 * TOKEN


@pytest.mark.parametrize(("call", "place"), [("row", 1), ("row", 700), ("audit of codes", 1)])
async def test_who_makes_a_batch(
    database: Database, database_url: str, call: str, place: int
) -> None:
    killed(database, database_url, "create", call, place)
    assert await database.read(codes.batches) == []
    assert await database.read(check) == []
    batch, _ = await made(database)
    assert await database.read(codes.batches) == [batch]
