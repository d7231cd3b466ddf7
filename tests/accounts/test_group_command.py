"""`xinghe group`, and what `xinghe member` says of groups."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.accounts.commands import Commands
from xinghe.accounts.rights import RIGHTS


@pytest.fixture
def commands(tmp_path: Path, database_url: str) -> Commands:
    return Commands(tmp_path / "data", database_url)


def test_a_school(commands: Commands) -> None:
    school = commands.json("group", "create", "学校", "--model", "m", "--tokens", "10")
    assert (school["in"], school["models"], school["available"]) == (None, ["m"], 10)
    inner = commands.json("group", "create", "高一三班", "--in", "学校")
    assert (inner["in"], inner["available"]) == ("学校", 1_000_000)
    assert [each["name"] for each in commands.json("group", "list")] == ["学校", "高一三班"]
    assert commands.json("group", "list", "--in", "学校") == [inner]
    assert commands.json("group", "show", "高一三班") == inner
    assert commands.json("group", "grant", "学校", "2.5", "--note", "竞赛")["available"] == 12.5
    assert commands.json("group", "models", "学校", "x", "y")["models"] == ["x", "y"]
    assert commands.json("group", "models", "学校", "--all")["models"] is None
    assert commands.json("group", "rename", "高一三班", "高二三班")["name"] == "高二三班"
    csv = commands.done("group", "list", "--csv").splitlines()
    assert csv[0] == "id,name,in,models,available,held,created_at"
    assert csv[2].startswith(f"{inner['id']},高二三班,学校,,1000000,0,")
    assert "delete it first" in commands.refused("group", "delete", "学校", "--yes", code=1)
    commands.done("group", "delete", "高二三班", "--yes")
    commands.done("group", "delete", "学校", "--yes")
    assert commands.json("group", "list") == []


def test_members_of_a_group(commands: Commands) -> None:
    commands.done("group", "create", "class")
    for name in ("a", "b"):
        commands.done("member", "create", name)
    added = commands.json("group", "add", "class", "a", "--role", "owner", "--pays", "group,own")
    assert (added["name"], added["role"], added["state"]) == ("a", "owner", "active")
    commands.done("group", "add", "class", "b")
    assert commands.json("group", "role", "class", "b", "manager")["role"] == "manager"
    shown = commands.json("member", "show", "a")
    assert (shown["groups"], shown["wallets"]) == (["class (owner)"], ["class", "own"])
    wallets = commands.json("group", "wallets", "a", "own", "class")
    assert wallets == commands.json("group", "wallets", "a")
    assert [each["wallet"] for each in wallets] == ["own", "class"]
    commands.done("member", "disable", "b")
    listed = commands.json("group", "members", "class")
    assert [(each["name"], each["state"]) for each in listed] == [
        ("a", "active"),
        ("b", "disabled"),
    ]
    assert "only owner" in commands.refused("group", "remove", "class", "a", code=1)
    commands.done("group", "remove", "class", "b")
    commands.done("group", "remove", "class", "a")
    assert commands.done("group", "members", "class") == ""


def test_an_invitation(commands: Commands) -> None:
    commands.done("group", "create", "class")
    made = commands.json("group", "invite", "class", "--uses", "2", "--expires", "1d")
    assert re.fullmatch(r"xi-[A-Za-z0-9_-]{32}", made.pop("code"))
    assert (made["uses_left"], made["state"], made["tokens"]) == (2, "open", 0)
    own = commands.json("group", "invite", "class", "--pays", "own")
    assert (own["tokens"], own["uses_left"]) == (1_000_000, 1)
    assert commands.json("group", "uninvite", str(own["id"]))["state"] == "revoked"
    states = [each["state"] for each in commands.json("group", "invitations", "class")]
    assert states == ["open", "revoked"]
    assert "there is no invitation 9" in commands.refused("group", "uninvite", "9", code=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["group", "create", "own"], "neither 'own' nor a number"),
        (["group", "create", "7"], "neither 'own' nor a number"),
        (["group", "add", "class", "a", "--role", "boss"], "'boss' is not one of"),
        (["group", "add", "class", "a", "--pays", "nobody"], "'nobody' is not one of"),
        (["group", "models", "class"], "name models, or --all"),
        (["group", "models", "class", "m", "--all"], "name models, or --all"),
        (["group", "invite", "class", "--uses", "0"], "1<=x<=10000"),
        (["group", "grant", "class", "0"], "0.000001 to"),
    ],
)
def test_a_wrong_command_line(commands: Commands, arguments: list[str], message: str) -> None:
    assert message in commands.refused(*arguments, code=2)


def test_help_tells_who_may_do_what(commands: Commands) -> None:
    told = commands.done("group", "role", "--help")
    for operation in RIGHTS:
        assert operation in told
    assert re.search(r"members\.delete +operator\n", told)


def test_a_member_is_renamed_disabled_made_operator_and_deleted(commands: Commands) -> None:
    commands.done("member", "create", "a")
    made = commands.json("member", "rename", "a", "b")
    assert (made["name"], made["state"], made["operator"]) == ("b", "active", "no")
    assert commands.json("member", "disable", "b")["state"] == "disabled"
    assert commands.json("account", "enable", "b")["state"] == "active"
    assert commands.json("member", "operator", "b", "yes")["operator"] == "yes"
    assert commands.json("member", "operator", "b", "no")["operator"] == "no"
    assert commands.run("member", "delete", "b").exit_code == 1  # nobody has said yes
    assert len(commands.json("member", "list")) == 1
    commands.done("member", "delete", "b", "--yes")
    assert commands.json("member", "list") == []
    assert commands.run("ledger", "check").exit_code == 0
