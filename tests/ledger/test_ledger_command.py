"""`xinghe ledger`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import apsw
import pytest

from tests.accounts.commands import Commands
from tests.kit.postgres import ON_SQLITE
from tests.ledger.books import Books, hold, used
from xinghe.accounts import Principal
from xinghe.core import Usage
from xinghe.ledger import Ledger


@pytest.fixture
def commands(tmp_path: Path, database_url: str) -> Commands:
    return Commands(tmp_path, database_url)


async def test_entries_of_a_served_request(
    ledger: Ledger, principal: Principal, books: Books, commands: Commands
) -> None:
    usage = Usage()
    async with hold(ledger, principal, usage):
        used(usage, 6, 2, cached=4)
        usage.finished = True
    await books.agree()
    # The service is running: its database is open, its ledger at work.
    newest, grant = json.loads(await in_thread(commands, "ledger", "entries", "--json"))
    assert (newest["kind"], newest["amount"]) == ("usage", -0.000028)
    assert (newest["input_rate"], newest["cached_rate"]) == (0.000004, 0.000001)
    assert newest["token_name"] == "laptop"
    assert (grant["kind"], grant["amount"], grant["note"]) == ("grant", 0.001, "initial grant")
    table = await in_thread(commands, "ledger", "entries", "--member", "a", "--limit", "1")
    assert "-0.000028" in table
    assert len(table.splitlines()) == 2


async def in_thread(commands: Commands, *arguments: str) -> str:
    return await asyncio.to_thread(commands.done, *arguments)


@ON_SQLITE
def test_check(commands: Commands) -> None:
    commands.done("member", "create", "a")
    result = commands.run("ledger", "check")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "the books agree\n")
    assert commands.json("ledger", "check") == []

    connection = apsw.Connection(str(commands.data / "xinghe.db"))
    connection.execute("UPDATE wallets SET available = available + 1")
    connection.close()
    result = commands.run("ledger", "check")
    assert result.exit_code == 1
    assert "member a: the balance is the sum of the entries: expected 1000000000000" in (
        result.stdout
    )
    result = commands.run("ledger", "check", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert {finding["where"] for finding in found} == {"member a"}


@ON_SQLITE
def test_bad_input(commands: Commands) -> None:
    assert "no Xinghe database" in commands.refused("ledger", "check", code=1)
    commands.done("member", "create", "a")
    assert "no member 'b'" in commands.refused("ledger", "entries", "--member", "b", code=1)
    assert "0" in commands.refused("ledger", "entries", "--limit", "0", code=2)
