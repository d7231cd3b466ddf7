"""`xinghe package` and `xinghe order`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.accounts.commands import Commands
from tests.admin.test_pages import Counting
from xinghe.cli.common import transact
from xinghe.settings import Settings
from xinghe.storage import Connection


@pytest.fixture
def commands(tmp_path: Path, database_url: str) -> Commands:
    made = Commands(tmp_path / "data", database_url)
    made.done("member", "create", "li", "--tokens", "0")
    return made


def test_packages(commands: Commands) -> None:
    commands.done("group", "create", "class")
    made = commands.json("package", "create", "p", "--tokens", "1.5", "--price", "9.90")
    assert (made["tokens"], made["price"], made["currency"]) == (1.5, 9.9, "CNY")
    change = ("--price", "8", "--days", "30", "--model", "m", "--group", "class", "--name", "q")
    changed = commands.json("package", "change", "p", *change)
    expected = {"name": "q", "price": 8, "valid_days": 30, "models": ["m"], "groups": ["class"]}
    assert changed == {**made, **expected}
    back = ("--days", "none", "--all-models", "--everybody", "--name", "p", "--price", "9.90")
    assert commands.json("package", "change", str(made["id"]), *back) == made
    wrong = commands.run("package", "change", "p", "--all-models", "--model", "m")
    assert wrong.exit_code == 2
    refused = commands.refused("package", "change", "p", "--price", "9.999", code=1)
    assert "9.999 is not allowed: 0 to 10000000000 CNY, with up to 2 decimals" in refused
    assert commands.json("package", "list") == [made]
    commands.done("package", "withdraw", "p")
    assert commands.json("package", "list") == []
    assert len(commands.json("package", "list", "--withdrawn")) == 1
    assert "no package" in commands.refused("order", "place", "p", "--member", "li", code=1)


def test_an_order_from_its_place_to_its_refund(commands: Commands) -> None:
    commands.done("package", "create", "p", "--tokens", "1000", "--price", "9.90")
    order = commands.json("order", "place", "p", "--member", "li")
    number = order["order"]
    assert (order["state"], order["for"], order["pay"]) == ("open", "li", None)
    assert commands.run("order", "place", "p").exit_code == 2
    assert commands.json("order", "list", "--state", "open", "--member", "li")[0]["order"] == number
    assert commands.json("order", "confirm", number, "bank 1")["refundable"] == 1000
    again = commands.json("order", "confirm", number.lower(), "bank 1")
    assert (again["state"], again["refundable"]) == ("paid", 1000)
    assert "another payment" in commands.refused("order", "confirm", number, "bank 2", code=1)
    assert "can be refunded" in commands.refused("order", "cancel", number, code=1)
    part = ("--tokens", "333", "--reason", "unused", "--reference", "back 1")
    back = commands.json("order", "refund", number, *part)
    assert (back["refunded_price"], back["refundable"]) == (3.29, 667)
    assert commands.json("order", "refund", number, *part) == back
    more = ("--tokens", "334", *part[2:])
    assert "already" in commands.refused("order", "refund", number, *more, code=1)
    rest = ("--reason", "unused", "--reference", "back 2")
    assert commands.json("order", "refund", number, *rest)["refunded_price"] == 9.9
    assert "nothing" in commands.refused(
        "order", "refund", number, "--reason", "x", "--reference", "back 3", code=1
    )
    shown = commands.json("order", "show", number)
    assert [each["price"] for each in shown["refunds"]] == [3.29, 6.61]
    assert commands.done("order", "list", "--csv").splitlines()[1].startswith(f"{number},paid,p,li")
    (row,) = commands.json("audit", "--action", "order.pay")
    assert row["actor"].startswith("cli")
    assert commands.run("ledger", "check").exit_code == 0


def test_a_list_takes_as_many_statements_as_one_row(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []

    def counted(data: str | None, operation: Any, *, write: bool = True) -> Any:
        def whole(connection: Connection, loaded: Settings) -> Any:
            counting: Any = Counting(connection)
            done = operation(counting, loaded)
            counts.append(counting.count)
            return done

        return transact(data, whole, write=write)

    for name in ("li", "wang", "zhao"):
        if name != "li":
            commands.done("member", "create", name, "--tokens", "0")
        commands.done("group", "create", f"group of {name}")
        commands.done(
            "package", "create", f"p {name}", "--tokens", "1", "--price", "1",
            *(f"--group={group}" for group in ("group of li", f"group of {name}")),
        )  # fmt: skip
    commands.done("package", "create", "all", "--tokens", "1", "--price", "1")
    commands.done("order", "place", "all", "--member", "li")
    monkeypatch.setattr("xinghe.cli.orders.transact", counted)
    monkeypatch.setattr("xinghe.cli.packages.transact", counted)
    assert len(commands.json("order", "list")) == 1
    few = counts[-1]
    for name in ("wang", "zhao"):
        commands.done("order", "place", "all", "--member", name)
    assert [row["for"] for row in commands.json("order", "list")] == ["zhao", "wang", "li"]
    assert counts[-1] == few
    groups = {row["name"]: row["groups"] for row in commands.json("package", "list")}
    assert groups["p zhao"] == ["group of li", "group of zhao"]
    assert groups["all"] is None
    several = counts[-1]
    for name in ("p li", "p wang", "p zhao"):
        commands.done("package", "withdraw", name)
    assert len(commands.json("package", "list")) == 1
    assert counts[-1] == several
