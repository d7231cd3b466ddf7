"""`xinghe budget`, as an operator uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.accounts.commands import Commands


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands(tmp_path)


def test_its_life(commands: Commands) -> None:
    commands.done("member", "create", "张三")
    made = commands.json(
        "budget", "create", "--member", "张三", "--tokens", "20000.5", "--per", "month",
        "--zone", "Asia/Shanghai", "--model", "deepseek-v3",
    )  # fmt: skip
    assert made["opens_at"].endswith("T16:00:00Z")  # midnight in Shanghai
    del made["opens_at"]
    assert made == {
        "id": 1,
        "of": "member 张三",
        "model": "deepseek-v3",
        "unit": "tokens",
        "amount": 20000.5,
        "used": 0,
        "per": "month",
        "rolling": False,
        "zone": "Asia/Shanghai",
    }
    commands.done("budget", "create", "--concurrent", "3")
    commands.done("budget", "create", "--requests", "1,000", "--per", "day", "--rolling")
    listed = commands.json("budget", "list")
    assert [(each["of"], each["unit"], each["amount"], each["used"]) for each in listed] == [
        ("member 张三", "tokens", 20000.5, 0),
        ("the service", "concurrent", 3, None),
        ("the service", "requests", 1000, 0),
    ]
    assert [each["id"] for each in commands.json("budget", "list", "--member", "张三")] == [1]
    assert commands.json("budget", "set", "1", "--tokens", "7")["amount"] == 7
    assert "budget 1 is of tokens" in commands.refused("budget", "set", "1", "--rpm", "7", code=1)
    commands.done("budget", "end", "1")
    assert "no budget 1" in commands.refused("budget", "end", "1", code=1)
    assert "no budget 1" in commands.refused("budget", "set", "1", "--tokens", "7", code=1)
    assert commands.json("budget", "list", "--member", "张三") == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tokens", "5"], "per: a budget of tokens has a window of time"),
        (["--rpm", "5", "--per", "day"], "per: a budget of rpm has no window of time"),
        (["--rpm", "0"], "amount: 0 is not allowed: 1 to"),
        (["--rpm", "1,00"], "'1,00' is not a whole number, such as 1000, 1,000 or 1e3"),
        (["--rpm", "0.5"], "'0.5' is not a whole number"),
        (["--tokens", "5", "--rpm", "5"], "a budget has one amount"),
        ([], "a budget has one amount"),
        (["--tokens", "5", "--per", "day", "--zone", "Mars"], "zone: 'Mars' is not allowed"),
        (["--tokens", "5", "--per", "total", "--rolling"], "all time does not roll"),
        (["--tokens", "5", "--zone", "UTC"], "--rolling and --zone need --per"),
        (["--tokens", "5", "--per", "day", "--member", "nobody"], "no member 'nobody'"),
        (["--tokens", "5", "--per", "day", "--group", "none"], "no group 'none'"),
        (["--tokens", "5", "--per", "day", "--token", "77777"], "no token '77777'"),
        (
            ["--tokens", "5", "--per", "day", "--member", "a", "--group", "b"],
            "a budget is of one: not of member and of group",
        ),
    ],
)
def test_a_budget_that_cannot_be(commands: Commands, arguments: list[str], message: str) -> None:
    commands.done("member", "create", "a")
    done = commands.run("budget", "create", *arguments)
    assert done.exit_code in {1, 2}
    assert message in done.stderr
