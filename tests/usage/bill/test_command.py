"""`xinghe bill`: a table, JSON and CSV, of a group, of a member or of every wallet."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import pytest
import structlog
from click.testing import CliRunner, Result

from tests.usage.small import CLASS, MEMBER, NOON, OTHER, PUPIL, Small
from xinghe.cli.bill import bill
from xinghe.ledger.windows import DAY
from xinghe.usage.scope import Scope

MONTH = ("--month", "2024-10")


class Command:
    """`xinghe bill` on one database."""

    def __init__(self, data: Path, url: str) -> None:
        self._data = data
        self._variables = {
            "XINGHE_DATABASE__URL": url,
            "XINGHE_BILL__ISSUER": "星河大学",
            "XINGHE_BILL__NOTE": "VAT 6 %\nincluded\n",
        }

    def run(self, *arguments: str) -> Result:
        root = click.Group(commands=[bill])
        asked = ["bill", *arguments, "--data", str(self._data)]
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
        return json.loads(self.done(*arguments, "--json"), parse_float=Decimal)


@pytest.fixture
async def command(small: Small, tmp_path: Path, database_url: str) -> Command:
    small.booked(NOON - 40 * DAY, 30_000_000, wallet=CLASS)
    small.booked(NOON - DAY, 9_000_000, "gift", wallet=CLASS)
    small.booked(NOON + DAY, -1_000_000, "expiry", wallet=CLASS)
    small.used(NOON, PUPIL, wallet=CLASS, cost=20_000_000)
    small.used(NOON + DAY, OTHER, wallet=CLASS, model="b", cost=1)
    small.booked(NOON + 60 * DAY, 5, wallet=MEMBER)
    small.booked(NOON, 7, wallet=PUPIL)
    await small.page(Scope(member=PUPIL))
    await small.database.close()  # a command has an event loop of its own
    return Command(tmp_path, database_url)


def test_of_a_group(command: Command) -> None:
    table = command.done(*MONTH, "--group", "class", "--zone", "Asia/Shanghai").splitlines()
    assert table[0] == (
        "class: 2024-10 (Asia/Shanghai), 2024-10-01T00:00:00.000+08:00 to "
        "2024-11-01T00:00:00.000+08:00"
    )
    assert table[1] == "星河大学"
    facts = [line.rsplit(None, 1) for line in table[4:9]]
    assert facts == [
        ["opening balance", "30"], ["gift", "9"], ["expiry", "-1"], ["usage", "-20.000001"],
        ["closing balance", "17.999999"],
    ]  # fmt: skip
    assert [line.split()[0] for line in table if line.startswith("m")] == [
        "member", "m2", "m3", "member", "m2", "m3",
    ]  # fmt: skip
    assert table[-3:-1] == ["VAT 6 %", "included"]
    found = command.json(*MONTH, "--group", "class")
    assert (found["closing"], found["issuer"]) == (Decimal("17.999999"), "星河大学")
    rows = list(csv.DictReader(io.StringIO(command.done(*MONTH, "--group", "class", "--csv"))))
    assert [row["amount"] for row in rows] == ["30", "9", "-1", "-20", "-0.000001", "17.999999"]


def test_of_every_wallet(command: Command) -> None:
    found = command.json(*MONTH)
    assert [each["group"] or each["name"] for each in found["bills"]] == ["m2", "class"]
    assert found["total"] == {
        "wallets": 2, "opening": 30, "credited": Decimal("9.000007"), "debited": 1,
        "used": Decimal("20.000001"), "closing": Decimal("18.000006"),
    }  # fmt: skip
    table = command.done(*MONTH).splitlines()
    assert table[-6:] == [
        "wallets   2", "opening   30", "credited  9.000007", "debited   1", "used      20.000001",
        "closing   18.000006",
    ]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(command.done(*MONTH, "--csv"))))
    closings = {row["wallet"]: row["amount"] for row in rows if row["row"] == "closing"}
    assert closings == {"app-2": "0.000007", "class": "17.999999"}
    assert command.json("--month", "2020-01") == {
        "bills": [],
        "total": dict.fromkeys(("wallets", "opening", "credited", "debited", "used", "closing"), 0),
    }


def test_of_a_member_in_the_running_month(command: Command) -> None:
    assert "m1 (app-1)" in command.done("--member", "app-1")
    assert "to date" in command.done("--member", "app-1")
    assert command.json("--member", "m1")["running"] is True


def test_what_is_wrong(command: Command) -> None:
    for arguments, says in (
        (["--month", "2024-1"], 'month is "2024-1", allowed: a month such as 2026-11'),
        (["--month", "9999-01"], "from 1970-01 to"),
        (["--group", "nobodys"], "nobodys"),
        (["--member", "nobody"], "nobody"),
        (["--group", "class", "--member", "m2"], "no member beside a group"),
        (["--zone", "Mars"], "zone is"),
    ):
        result = command.run(*arguments)
        assert result.exit_code == 1, arguments
        assert says in result.stderr
