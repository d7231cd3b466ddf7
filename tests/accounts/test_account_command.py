"""`xinghe account`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.accounts.commands import Commands
from tests.kit.command import xinghe


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands(tmp_path / "data")


def test_create_show_list_grant(commands: Commands) -> None:
    made = commands.json("member", "create", "星河")
    assert made["available"] == 1_000_000
    commands.done("member", "create", "poor", "--tokens", "0.5")
    after = commands.json("member", "grant", made["appid"], "2.25", "--note", "竞赛")
    assert after["balance"] == 1_000_002.25
    assert commands.json("member", "show", "poor")["available"] == 0.5
    assert commands.json("member", "grant", "poor", "1e3")["balance"] == 1000.5
    assert commands.json("member", "grant", "poor", "１，０００")["balance"] == 2000.5
    names = [found["name"] for found in commands.json("member", "list")]
    assert names == ["星河", "poor"]


def test_a_table_is_aligned_and_its_amounts_are_exact(commands: Commands) -> None:
    commands.done("member", "create", "星河", "--tokens", "12.5")
    commands.done("member", "create", "abc", "--tokens", "999999999999.999999")
    head, first, second = commands.done("member", "list").splitlines()
    assert head.split()[:6] == ["name", "appid", "available", "held", "balance", "created_at"]
    assert first.split()[2] == "12.5"
    assert second.split()[2] == "999999999999.999999"
    # A wide character takes two columns.
    assert first.index("app-") + 2 == second.index("app-") == head.index("appid")


def test_csv_for_a_spreadsheet(commands: Commands) -> None:
    commands.done("member", "create", "=星河", "--tokens", "12.5")
    made = commands.json("member", "show", "=星河")
    head, row = commands.done("member", "list", "--csv").splitlines()
    assert head == "name,appid,available,held,balance,created_at,state,operator"
    assert row == f"'=星河,{made['appid']},12.5,0,12.5,{made['created_at']},active,no"
    shown = commands.done("member", "show", "=星河", "--csv").splitlines()
    assert shown == [f"{head},groups,wallets,alert_below,webhook", f"{row},,own,,"]
    for flags in (["--json", "--csv"], ["--csv", "--json"]):
        refused = commands.refused("member", "create", "b", *flags, code=2)
        assert "exclude each other" in refused
    assert len(commands.json("member", "list")) == 1


def test_show_for_people(commands: Commands) -> None:
    commands.done("member", "create", "a", "--tokens", "0.000001")
    lines = dict(
        line.split(maxsplit=1) for line in commands.done("member", "show", "a").split("\n")
    )
    assert lines["available"] == "0.000001"
    assert lines["held"] == "0"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["member", "create", ""], 2, "1 to 64 printable characters"),
        (["member", "create", "a", "--tokens", "-1"], 2, "up to 6 decimals"),
        (["member", "create", "a", "--tokens", "0.0000001"], 2, "up to 6 decimals"),
        (["member", "create", "a", "--tokens", "1000000000001"], 2, "1000000000000 Tokens"),
        (["member", "create", "a", "--tokens", "1,00"], 2, "1000, 1,000, 1_000, 1e3 or 0.5"),
        (["member", "create"], 2, "Missing argument"),
        (["member", "show", "a"], 1, "no Xinghe database in"),
        (["member", "list"], 1, "no Xinghe database in"),
        (["member", "grant", "a", "1"], 1, "no Xinghe database in"),
        (["member", "grant", "a", "0"], 2, "0.000001 to"),
        (["member", "grant", "a", "many"], 2, "'many' is not an amount"),
        (["member", "grant", "a", "一万"], 2, "'一万' is not an amount"),
        (["member", "grant", "a", "-1,000"], 2, "'-1,000' is not an amount"),
        (["member", "alert", "a", "-1"], 2, "'-1' is not an amount"),
        (["member", "grant", "a", "-x"], 2, "No such option"),
        (["member", "grant", "a", "1", "--expires", "2001-01-01"], 2, "not a time in the future"),
        (["member", "grant", "a", "1", "--expires", "2100-02-30"], 2, "not a time in the future"),
        (["member", "grant", "a", "1", "--expires", "0d"], 2, "not a time in the future"),
        (["member", "grant", "a", "1", "--expires", "9999999d"], 2, "not a time in the future"),
        (["member", "grant", "a", "1", "--note", "a\nb"], 2, "note: "),
    ],
)
def test_bad_input_leaves_nothing_behind(
    commands: Commands, arguments: list[str], code: int, message: str
) -> None:
    assert message in commands.refused(*arguments, code=code)
    assert not commands.data.exists()


def test_too_many_tokens_are_told_in_tokens(commands: Commands) -> None:
    commands.done("member", "create", "a")
    told = commands.refused("member", "grant", "a", "1e12", code=1)
    assert "amount: 1000000000000 Tokens would take the balance over 1000000000000 Tokens" in told


def test_the_last_day_is_one(commands: Commands) -> None:
    commands.done("token", "create", "--expires", "9999-12-31")
    assert [each["expires_at"] for each in commands.json("token", "list")] == [
        "9999-12-31T23:59:59Z"
    ]
    everything = ["--from", "1970-01-01", "--to", "9999-12-31", "--zone", "Asia/Shanghai"]
    assert len(commands.json("ledger", "entries", *everything)) == 1


def test_what_cannot_be_done(commands: Commands) -> None:
    commands.done("member", "create", "a")
    assert "already" in commands.refused("member", "create", "a", code=1)
    assert "no member 'b'" in commands.refused("member", "show", "b", code=1)
    assert "no member 'b'" in commands.refused("member", "grant", "b", "1", code=1)


def test_a_setting_that_cannot_be_used(commands: Commands) -> None:
    commands.data.mkdir()
    (commands.data / "xinghe.toml").write_text("[server]\nport = 'x'\n")
    assert "port" in commands.refused("member", "list", code=1)


def test_an_alert(commands: Commands) -> None:
    commands.done("member", "create", "a")
    made = commands.json("member", "alert", "a", "2.5", "--webhook", "https://a.example/x?y=1")
    secret = made.pop("secret")
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    assert made == {"name": "a", "alert_below": 2.5, "webhook": "https://a.example/x?y=1"}
    shown = commands.json("member", "show", "a")
    assert (shown["alert_below"], shown["webhook"]) == (2.5, "https://a.example/x?y=1")
    assert secret not in str(shown)
    again = commands.run("member", "alert", "a", "3", "--webhook", "https://a.example/x?y=1")
    assert "secret" not in again.output
    other = commands.run("member", "alert", "a", "3", "--webhook", "https://b.example/")
    assert "not shown again" in other.stderr
    assert "secret" not in commands.json("member", "alert", "a", "4")
    assert commands.json("member", "show", "a")["webhook"] is None
    removed = commands.json("member", "alert", "a", "none")
    assert removed == {"name": "a", "alert_below": None, "webhook": None}
    assert commands.json("member", "show", "a")["alert_below"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["0"], "'0' is not an amount: 0.000001 to"),
        (["some"], "'some' is not an amount"),
        (["1", "--webhook", "ftp://a.example/"], "webhook: 'ftp://a.example/' is not allowed"),
        (["none", "--webhook", "http://a.example/"], "--webhook needs an amount"),
        ([], "Missing argument"),
    ],
)
def test_an_alert_that_cannot_be(commands: Commands, arguments: list[str], message: str) -> None:
    assert message in commands.refused("member", "alert", "a", *arguments, code=2)
    assert not commands.data.exists()


def test_an_alert_of_nobody(commands: Commands) -> None:
    commands.done("member", "create", "a")
    assert "no member 'b'" in commands.refused("member", "alert", "b", "1", code=1)
    assert "no member 'b'" in commands.refused("member", "alert", "b", "none", code=1)


def test_as_a_process(tmp_path: Path) -> None:
    xinghe("member", "create", "星河", "--tokens", "3", data=tmp_path)
    assert "星河" in xinghe("member", "list", data=tmp_path)
    secret = xinghe("token", "create", "--member", "星河", data=tmp_path)
    assert secret.startswith("xh-")
    assert secret[3:13] in xinghe("token", "list", data=tmp_path)
    assert xinghe("ledger", "check", data=tmp_path) == ""
