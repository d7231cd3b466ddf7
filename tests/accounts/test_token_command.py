"""`xinghe token`."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import apsw
import pytest

from tests.accounts.commands import Commands
from tests.kit.command import ended

SECRET = r"xh-[a-z0-9]{10}-[A-Za-z0-9]{43}"


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands(tmp_path / "data")


def test_the_token_is_alone_on_standard_output(commands: Commands) -> None:
    result = commands.run("token", "create")
    assert re.fullmatch(SECRET + "\n", result.stdout)
    assert "made the member 'default'" in result.stderr
    assert "not shown again" in result.stderr
    assert re.fullmatch(SECRET, commands.done("token", "create"))
    assert len(commands.json("member", "list")) == 1


def test_what_it_allows(commands: Commands) -> None:
    commands.done("member", "create", "a")
    options = ["--scope", "admin", "--scope", "model.call", "--model", "m2", "--model", "m1"]
    commands.done("token", "create", "--member", "a", "--name", "ci", "--expires", "90d", *options)
    (found,) = commands.json("token", "list", "--member", "a")
    assert (found["name"], found["member"], found["state"]) == ("ci", "a", "active")
    assert found["scopes"] == ["model.call", "admin"]
    assert found["models"] == ["m1", "m2"]
    lasting = datetime.datetime.fromisoformat(found["expires_at"]) - datetime.datetime.now(
        datetime.UTC
    )
    assert abs(lasting - datetime.timedelta(days=90)) < datetime.timedelta(minutes=1)


def test_a_date_lasts_to_its_end(commands: Commands) -> None:
    commands.done("token", "create", "--expires", "2099-12-31")
    (found,) = commands.json("token", "list")
    assert found["expires_at"] == "2100-01-01T00:00:00Z"
    assert found["scopes"] == ["model.call", "account.read"]
    assert found["models"] is None


def test_the_list_has_no_secret(commands: Commands) -> None:
    secret = commands.done("token", "create")
    for form in ([], ["--json"]):
        shown = commands.done("token", "list", *form)
        assert secret[3:13] in shown
        assert secret[14:] not in shown


def test_revoke_by_number_and_by_public_id(commands: Commands) -> None:
    commands.done("token", "create")
    second = commands.done("token", "create")
    assert commands.json("token", "revoke", "1")["state"] == "revoked"
    assert commands.json("token", "revoke", second[3:13])["id"] == 2
    assert "revoked" in commands.done("token", "revoke", "1")
    assert second not in commands.refused("token", "revoke", second, code=1)
    assert "no token '3'" in commands.refused("token", "revoke", "3", code=1)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--scope", "root"], 2, "'root' is not one of"),
        (["--model", ""], 2, "models: "),
        (["--name", " "], 2, "name: "),
        (["--expires", "yesterday"], 2, "not a time in the future"),
        (["--member", "a"], 1, "no Xinghe database in"),
    ],
)
def test_bad_input_leaves_nothing_behind(
    commands: Commands, arguments: list[str], code: int, message: str
) -> None:
    assert message in commands.refused("token", "create", *arguments, code=code)
    assert not commands.data.exists()


def test_default_is_not_made_beside_other_accounts(commands: Commands) -> None:
    commands.done("member", "create", "a")
    assert "no member 'default'" in commands.refused("token", "create", code=1)
    assert len(commands.json("member", "list")) == 1


def test_a_database_that_stays_locked(commands: Commands) -> None:
    commands.done("member", "create", "default")
    other = apsw.Connection(str(commands.data / "xinghe.db"))
    other.execute("BEGIN IMMEDIATE")
    assert "locked" in xinghe_fails("token", "create", data=commands.data)
    other.execute("ROLLBACK")
    other.close()
    assert commands.json("token", "list") == []


def test_a_cap(commands: Commands) -> None:
    commands.done("token", "create", "--cap", "500.5", "--cap-per", "day")
    commands.done("token", "create", "--cap", "0")
    commands.done("token", "create")
    shown = [
        (found["cap"], found["cap_per"], found["used"]) for found in commands.json("token", "list")
    ]
    assert shown == [(500.5, "day", 0), (0, "total", 0), (None, None, None)]


def test_a_cap_that_changes(commands: Commands) -> None:
    secret = commands.done("token", "create")
    for arguments, shown in (
        (["7"], (7, "total")),
        (["8", "--cap-per", "month"], (8, "month")),
        (["9"], (9, "month")),
        (["none"], (None, None)),
        (["1"], (1, "total")),
    ):
        found = commands.json("token", "cap", secret[3:13], *arguments)
        assert (found["cap"], found["cap_per"]) == shown
        assert commands.json("token", "list") == [found]
    assert "no token '2'" in commands.refused("token", "cap", "2", "1", code=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create", "--cap", "-1"], "up to 6 decimals"),
        (["create", "--cap", "none"], "'none' is not an amount: 0 to"),
        (["create", "--cap", "1", "--cap-per", "year"], "'year' is not one of"),
        (["create", "--cap-per", "day"], "--cap-per needs --cap"),
        (["cap", "1", "many"], "'many' is not an amount: 0 to"),
        (["cap", "1", "none", "--cap-per", "day"], "--cap-per needs an amount"),
        (["cap", "1"], "Missing argument"),
    ],
)
def test_a_cap_that_cannot_be(commands: Commands, arguments: list[str], message: str) -> None:
    assert message in commands.refused("token", *arguments, code=2)
    assert not commands.data.exists()


def xinghe_fails(*arguments: str, data: Path) -> str:
    """What a process says on standard error; nothing may be on standard output."""
    code, out, errors = ended(*arguments, data=data)
    assert (code, out) == (1, "")
    return errors


def test_every_help_says_what_it_is_for(commands: Commands) -> None:
    for command in ("create", "list", "cap", "revoke"):
        text = commands.done("token", command, "--help")
        assert "--data" in text
        assert len(text.splitlines()) > 5
