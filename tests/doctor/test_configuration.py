"""Whether the service that runs follows the applied configuration."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.accounts.commands import Commands
from tests.doctor.kit import options
from xinghe.doctor.configuration import configuration
from xinghe.doctor.finding import OK, WARN, Finding


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "models.toml").write_text("[limits]\nqps = 3.5\n", "utf-8")
    return tmp_path


@pytest.fixture
def served(data: Path) -> Iterator[Path]:
    """As while a service runs there: its lock is held, and its files were imported."""
    commands = Commands(data)
    commands.done("config", "apply", str(data / "models.toml"))
    with (data / "serve.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield data


def examined(data: Path) -> Finding:
    return configuration(options("--data", str(data)))


def test_nothing_is_made_where_no_service_runs(data: Path) -> None:
    assert examined(data).status == OK
    assert [file.name for file in data.iterdir()] == ["models.toml"]


def test_what_is_applied(served: Path) -> None:
    assert examined(served) == Finding("config", OK, "version 1 is applied")


def test_a_file_that_is_not_imported(served: Path) -> None:
    # The doctor itself reads models.toml as TOML: one that is none ends there.
    (served / "models.toml").write_text('[models.x]\nkind = "chat"\n', "utf-8")
    found = examined(served)
    assert (found.status, found.mend) == (WARN, "xinghe config status")
    assert "models.toml is not imported: models.x" in found.text
