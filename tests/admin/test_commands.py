"""`xinghe audit` and `xinghe token change`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.accounts.commands import Commands


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands(tmp_path / "data")


def test_a_token_is_changed(commands: Commands) -> None:
    commands.done("token", "create", "--model", "a", "--expires", "90d")
    (made,) = commands.json("token", "list")
    number = str(made["id"])
    changed = commands.json("token", "change", number, "--name", "lab", "--all-models")
    assert changed == {**made, "name": "lab", "models": None}
    options = ("--scope", "account.read", "--model", "m", "--never-expires")
    changed = commands.json("token", "change", made["public_id"], *options)
    assert (changed["scopes"], changed["models"]) == (["account.read"], ["m"])
    assert changed["expires_at"] is None
    assert commands.json("token", "change", number) == changed
    commands.done("token", "revoke", number)
    assert "is revoked" in commands.run("token", "change", number, "--name", "x").stderr
    wrong = commands.run("token", "change", number, "--model", "m", "--all-models")
    assert wrong.exit_code == 2


def test_the_audit_log(commands: Commands) -> None:
    commands.done("member", "create", "a")
    commands.done("member", "grant", "a", "5", "--note", "prize")
    (found,) = [each for each in commands.json("member", "list") if each["name"] == "a"]
    rows = commands.json("audit", "--subject", found["appid"])
    assert [row["action"] for row in rows] == ["wallet.grant", "member.create"]
    assert rows[0]["actor"].startswith("cli")
    assert "prize" in rows[0]["after"]
    assert commands.json("audit", "--action", "wallet.grant", "--limit", "1") == rows[:1]
    assert commands.json("audit", "--from", "2099-01-01") == []
    assert commands.json("audit", "--to", "2000-01-01") == []
    assert commands.run("audit", "--from", "soon").exit_code == 2
