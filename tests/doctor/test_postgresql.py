"""The doctor looks at PostgreSQL, and says nothing of a password."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.doctor.kit import options
from tests.kit.postgres import Cluster
from xinghe.doctor import installation
from xinghe.doctor.finding import FAIL, OK, Finding


def found(url: str) -> Finding:
    finding = installation.database(options(XINGHE_DATABASE__URL=url))
    assert "hidden" not in finding.text + finding.mend
    return finding


def with_password(url: str) -> str:
    return f"{url}&password=hidden"


def test_one_that_answers(postgres: Cluster) -> None:
    for url, text in ((postgres.database(), "answers"), (postgres.empty(), "the first start")):
        finding = found(with_password(url))
        assert finding.status == OK
        assert text in finding.text


def test_one_that_takes_no_writes(postgres: Cluster) -> None:
    url = postgres.database()
    database = url.partition("///")[2].partition("?")[0]
    postgres.do(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    finding = found(url)
    assert (finding.status, "takes no writes" in finding.text) == (FAIL, True)


def test_one_of_another_encoding(postgres: Cluster) -> None:
    finding = found(postgres.empty("ENCODING 'SQL_ASCII' TEMPLATE template0"))
    assert (finding.status, "SQL_ASCII" in finding.text) == (FAIL, True)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hidden@127.0.0.1:1/db",
        "postgresql://me:hid/hidden@127.0.0.1:1/db",
        "postgresql://me:%hidden@127.0.0.1/db",
        "postgresql://127.0.0.1:1/db?user=me&password=hidden",
    ],
)
def test_one_that_cannot_be_reached(url: str) -> None:
    assert found(url).status == FAIL


def test_the_data_directorys_own(postgres: Cluster) -> None:
    data = postgres.server.folder.parent
    asked = options("--data", str(data))
    finding = installation.database(asked)
    assert (finding.status, "answers" in finding.text) == (OK, True)


def test_the_data_directorys_own_at_rest(tmp_path: Path) -> None:
    (tmp_path / "postgresql").mkdir()
    (tmp_path / "postgresql" / "PG_VERSION").write_text("18\n")
    finding = installation.database(options("--data", str(tmp_path)))
    assert (finding.status, "starts with the service" in finding.text) == (OK, True)


def test_one_that_hangs(postgres: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xinghe.doctor.postgresql.SECONDS", 2)
    url, pid = postgres.database(), postgres.server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        finding = found(url)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert (finding.status, "timeout" in finding.text) == (FAIL, True)
