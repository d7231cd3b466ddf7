"""`xinghe usage` tells what the API tells: as tables, JSON and CSV, in a time zone."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import click
import pytest
import structlog
from click.testing import CliRunner, Result

from tests.usage.small import CLASS, NOON, OTHER, PUPIL, Small
from xinghe.cli.usage import usage
from xinghe.ledger.windows import DAY
from xinghe.usage.failures import Failed, Failures
from xinghe.usage.scope import Scope


class Command:
    """`xinghe usage` on one database."""

    def __init__(self, data: Path, url: str) -> None:
        self._data = data
        self._variables = {"XINGHE_DATABASE__URL": url}

    def run(self, *arguments: str) -> Result:
        root = click.Group(commands=[usage])
        asked = ["usage", *arguments, "--data", str(self._data)]
        result = CliRunner().invoke(root, asked, env=self._variables)
        structlog.reset_defaults()
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def done(self, *arguments: str) -> str:
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.done(*arguments, "--json"))


@pytest.fixture
async def command(small: Small, tmp_path: Path, database_url: str) -> Command:
    small.used(NOON, PUPIL, wallet=CLASS, cost=20_000_000, first_ms=200)
    small.used(NOON + DAY, OTHER, wallet=CLASS, model="b", cost=1)
    small.used(NOON, PUPIL, cost=7)
    small.booked(NOON - DAY, 5_000_000, wallet=CLASS)
    await small.page(Scope(member=PUPIL))
    gathered = Failures(small.database)
    gathered.note(Failed(CLASS, PUPIL, PUPIL, "as-failed", NOON, "chat", "m", 429, "rpm", 3))
    await gathered.flush()
    await small.database.close()  # a command has an event loop of its own
    return Command(tmp_path, database_url)


def test_entries(command: Command) -> None:
    of_class = command.json("entries", "--group", "class")
    assert [(each["member_name"], each["amount"]) for each in of_class] == [
        ("m3", -0.000001), ("m2", -20), (None, 5),
    ]  # fmt: skip
    assert [each["group"] for each in command.json("entries", "--member", "m2")] == [None, "class"]
    assert len(command.json("entries", "--group", "class", "--limit", "1")) == 1
    (only,) = command.json("entries", "--group", "class", "--member", "app-3")
    assert only["model"] == "b"
    table = command.done("entries", "--group", "class", "--zone", "Asia/Shanghai")
    assert "2024-10-04T20:00:00.000+08:00" in table
    assert "wait_ms" not in table
    rows = list(csv.DictReader(io.StringIO(command.done("entries", "--group", "class", "--csv"))))
    assert [row["amount"] for row in rows] == ["-0.000001", "-20", "5"]
    assert "wait_ms" in rows[0]


def test_who_spent_what(command: Command) -> None:
    asked = (
        "--group",
        "class",
        "--interval",
        "month",
        "--from",
        "2024-10-01",
        "--to",
        "2024-10-31",
    )
    rows = command.json("series", *asked, "--by", "member")
    assert [(each["member_name"], each["spent"]) for each in rows] == [("m2", 20), ("m3", 0.000001)]
    table = command.done("series", *asked, "--by", "member,model")
    assert table.splitlines()[0].split()[:3] == ["from", "member_name", "model"]
    rows = list(csv.DictReader(io.StringIO(command.done("series", *asked, "--csv"))))
    assert (rows[0]["spent"], rows[0]["first_token_ms"]) == ("20.000001", "200.0")


def test_a_request_and_a_balance(command: Command) -> None:
    shown = command.json("request", "as-1", "--group", "class")
    assert (shown["cost"], shown["finish"], shown["total_ms"]) == (20, "normal", 1000)
    assert "cost" in command.done("request", "as-1", "--member", "m2")
    shown = command.json("account", "--group", "class")
    assert (shown["name"], len(shown["wallets"])) == ("class", 1)
    assert "wallet" in command.done("account", "--member", "m2")


def test_requests_that_failed(command: Command) -> None:
    (found,) = command.json("requests", "--group", "class")
    assert (found["id"], found["outcome"], found["member_name"]) == ("as-failed", "rpm", "m2")
    assert command.json("requests", "--member", "m2", "--limit", "1") == [found]
    assert command.json("requests", "--member", "m3") == []
    assert "as-failed" in command.done("requests", "--group", "class")


def test_what_is_wrong(command: Command) -> None:
    for arguments, says in (
        (["entries", "--member", "nobody"], "nobody"),
        (["entries", "--group", "nobodys"], "nobodys"),
        (["entries", "--member", "m2", "--from", "tomorrow"], "from is"),
        (["series", "--member", "m2", "--by", "colour"], "by is"),
        (["request", "as-9", "--member", "m2"], "there is no request"),
        (["account", "--member", "m2", "--zone", "Mars"], "zone is"),
    ):
        result = command.run(*arguments)
        assert result.exit_code == 1
        assert says in result.stderr
