"""`xinghe member password`: somebody can come in who could not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog
from click.testing import CliRunner, Result

from tests.signin.conftest import BASE, HERE, PASSWORD
from xinghe.cli.main import main
from xinghe.settings import SignIn as Settings
from xinghe.signin import NotLetIn, Sessions, SignIn
from xinghe.storage import Database


def command(data: Path, *arguments: str, given: str = "") -> Result:
    result = CliRunner().invoke(main, [*arguments, "--data", str(data)], input=given)
    structlog.reset_defaults()
    return result


def comes_in(data: Path, password: str) -> bool:
    async def tried() -> bool:
        async with await Database.open(data) as database:
            signin = SignIn(database, Settings(), Sessions(database, Settings()), BASE)
            try:
                await signin.by_password("alice", password, HERE)
            except NotLetIn:
                return False
            finally:
                await signin.aclose()
            return True

    return asyncio.run(tried())


def test_whoever_is_given_a_password_comes_in(tmp_path: Path) -> None:
    assert command(tmp_path, "member", "create", "alice").exit_code == 0
    assert not comes_in(tmp_path, PASSWORD)
    given = command(tmp_path, "member", "password", "alice", given=f"{PASSWORD}\n")
    assert (given.exit_code, given.output) == (0, "")
    assert comes_in(tmp_path, PASSWORD)


def test_what_is_no_password_changes_nothing(tmp_path: Path) -> None:
    command(tmp_path, "member", "create", "alice")
    command(tmp_path, "member", "password", "alice", given=PASSWORD)
    for given in ("", "short", "password"):
        refused = command(tmp_path, "member", "password", "alice", given=given)
        assert refused.exit_code == 1
        assert "password" in refused.stderr
    assert command(tmp_path, "member", "password", "bob", given=PASSWORD).exit_code == 1
    assert comes_in(tmp_path, PASSWORD)
