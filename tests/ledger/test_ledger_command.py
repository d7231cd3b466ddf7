"""`xinghe ledger`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

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
    assert len(table.splitlines()) == 3  # head, entry, total


async def test_entries_of_a_time_a_model_and_a_token(
    ledger: Ledger,
    principal: Principal,
    commands: Commands,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for model, prompt in (("m", 6), ("n", 10), ("n", 20)):
        usage = Usage()
        async with hold(ledger, principal, usage, model=model):
            used(usage, prompt, 2)
            usage.finished = True
    monkeypatch.setattr("xinghe.ledger.entries.PORTION", 2)

    def asked() -> None:
        def entries(*narrowed: str) -> list[Any]:
            return commands.json("ledger", "entries", *narrowed)  # type: ignore[no-any-return]

        mine = ("--token", commands.json("token", "list")[0]["public_id"])
        assert [each["prompt_tokens"] for each in entries("--model", "n")] == [20, 10]
        assert [each["prompt_tokens"] for each in entries(*mine, "--limit", "2")] == [20, 10]
        assert len(entries("--from", "2001-01-01", "--zone", "Asia/Shanghai")) == 4
        assert entries("--to", "2001-01-01") == entries("--from", "9999-01-01") == []
        assert entries("--zone", "Asia/Shanghai")[0]["at"].endswith("+08:00")

        used, total = entries("--sums", *mine)
        assert (used["kind"], used["entries"], used["amount"]) == ("usage", 3, -0.000192)
        assert (used["prompt_tokens"], used["completion_tokens"]) == (36, 6)
        assert total == used | {"kind": "total"}
        grant, used, total = entries("--sums")
        assert (grant["kind"], grant["amount"], grant["entries"]) == ("grant", 0.001, 1)
        assert (total["entries"], total["amount"]) == (4, 0.000808)
        assert [each["entries"] for each in entries("--sums", "--model", "o")] == [0]

        _, _, last = commands.done("ledger", "entries", *mine, "--limit", "1").splitlines()
        assert last.split() == ["total", "3", "entries", "-0.000192", "36", "6", "0"]
        assert len(commands.done("ledger", "entries", *mine, "--csv").splitlines()) == 4

    await asyncio.to_thread(asked)


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
    for code, option, value, told in (
        (1, "--token", "0123456789", "no token '0123456789'"),
        (2, "--token", "xh-1", 'token is "xh-1", allowed: a token\'s public id'),
        (2, "--from", "yesterday", 'from is "yesterday", allowed: a day (2026-11-29), a time'),
        (2, "--to", "1969-12-31", 'to is "1969-12-31", allowed: '),
        (2, "--zone", "Mars", 'zone is "Mars", allowed: a time zone\'s name'),
    ):
        assert told in " ".join(
            commands.refused("ledger", "entries", option, value, code=code).split()
        )
    reverse = ("--from", "2026-11-02", "--to", "2026-11-01")
    assert "from is before to" in commands.refused("ledger", "entries", *reverse, code=2)
