"""What is said of a URL: enough to mend it, and never its password."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.command import ended
from tests.kit.postgres import Cluster, cluster
from xinghe.settings import SettingsError, load
from xinghe.storage import Database, StorageError
from xinghe.storage.postgresql.backend import PostgreSQLBackend

BAD = [
    "postgresql://me:hidden@127.0.0.1:1/db",
    "postgresql://me:%hidden@127.0.0.1/db",
    "postgresql://me:hidden@127.0.0.1:port/db",
    "postgresql://127.0.0.1:1/db?user=me&password=hidden",
    "postgresql://127.0.0.1:1/db?passwort=hidden",
    "postgresql:///db?host=/nowhere&password=hidden",
    "postgresql://me:hidden\udcff@127.0.0.1:1/db",
]


@pytest.mark.parametrize("url", BAD)
async def test_an_error_tells_no_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError) as raised:
        await Database.open(tmp_path, url)
    seen: BaseException | None = raised.value
    while seen is not None:
        assert "hidden" not in str(seen)
        seen = seen.__cause__


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:hidden@h/db",
        "host=h password=hidden",
        "/a/hidden",
        "postgresql://me:a/hidden@127.0.0.1:1/db",
        "postgresql://me:a?hidden@127.0.0.1:1/db",
    ],
)
def test_a_setting_that_is_no_such_url(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="database") as raised:
        load(str(tmp_path), environ={"XINGHE_DATABASE__URL": url})
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize(
    "toml",
    [
        'database = "postgresql://me:hidden@h/db"',
        'database.url = ["postgresql://me:hidden@h/db"]',
        'database.url.url = "postgresql://me:hidden@h/db"',
        'database.uri = "postgresql://me:hidden@h/db"',
    ],
)
def test_a_setting_at_the_wrong_place(toml: str, tmp_path: Path) -> None:
    (tmp_path / "xinghe.toml").write_text(toml)
    with pytest.raises(SettingsError, match="database") as raised:
        load(str(tmp_path), environ={})
    assert "hidden" not in str(raised.value)


def test_a_name_has_no_password(postgres: Cluster) -> None:
    backend = PostgreSQLBackend("postgresql://me:hidden@a:5,b:6/db?sslmode=require")
    assert backend.name == "postgresql://a:5,b:6/db"


def test_every_command_takes_the_setting(postgres: Cluster, tmp_path: Path) -> None:
    settings = {"XINGHE_DATABASE__URL": postgres.empty() + "&password=hidden"}

    def told(*arguments: str) -> tuple[int, str]:
        code, out, errors = ended(*arguments, data=tmp_path, settings=settings)
        assert "hidden" not in out + errors
        assert "Traceback" not in errors
        return code, out + errors

    assert told("member", "list")[0] == 1
    assert told("member", "create", "a")[0] == 0
    assert "the books agree" in told("ledger", "check")[1]
    assert told("token", "create", "--member", "a")[0] == 0
    assert not (tmp_path / "xinghe.db").exists()


async def test_the_first_of_several_hosts_that_takes_writes(
    postgres: Cluster, tmp_path: Path
) -> None:
    url = postgres.database()
    server = str(postgres.server.folder)
    several = url.replace(server, f"/nowhere,{server}")
    async with await Database.open(tmp_path, several) as database:
        assert await database.write(lambda c: c.value("SELECT count(*) FROM members")) == 0
        assert await database.read(lambda c: c.value("SELECT count(*) FROM members")) == 0


@pytest.mark.parametrize("name", ["d" * 60 + "/" + "e" * 60, "我的 data,50%&c"])
async def test_a_path_that_is_not_like_others(tmp_path: Path, name: str) -> None:
    """Too long for a socket, or with what means something in a URL."""
    deep = tmp_path / name
    deep.mkdir(parents=True)
    with cluster(deep) as running:
        assert running.do("SELECT 1") == [(1,)]
        async with await Database.open(deep) as database:
            assert await database.write(lambda c: c.value("SELECT count(*) FROM members")) == 0
