"""The model file and the database of an installation."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.doctor.kit import options
from xinghe.doctor import installation
from xinghe.doctor.finding import FAIL, OK, WARN

SMALL = ("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", 491400064)


def test_the_engines_library_loads() -> None:
    assert installation.engine(options()).status == OK


def test_the_engines_library_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "xllamacpp.py").write_text("import os\nos.kill(os.getpid(), 4)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    finding = installation.engine(options())
    assert finding.status == FAIL
    assert "SIGILL" in finding.text


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("import os\nos._exit(3)", "it gives no reason"),
        ("import time\ntime.sleep(60)", "not loaded after 0.5 s"),
        ("import os\nos.write(2, bytes([206, 222]))\nos._exit(3)", "cannot be loaded"),
    ],
)
def test_the_engines_library_ends_without_a_word_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str, text: str
) -> None:
    (tmp_path / "xllamacpp.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    if "sleep" in code:
        monkeypatch.setattr(installation, "LOADING", 0.5)
    finding = installation.engine(options())
    assert finding.status == FAIL
    assert text in finding.text


def test_weights_by_their_size(tmp_path: Path) -> None:
    asked = options("--model", "small", XINGHE_WEIGHTS__CACHE=str(tmp_path))
    assert installation.weights(asked).status == WARN
    name, size = SMALL
    (tmp_path / name).touch()
    finding = installation.weights(asked)
    assert finding.status == FAIL
    assert finding.mend == "xinghe models pull small"
    os.truncate(tmp_path / name, size)
    assert installation.weights(asked).status == OK


@pytest.mark.parametrize(("content", "status"), [(b"GGUF...", OK), (b"PK", FAIL), (None, FAIL)])
def test_a_file_of_ones_own(tmp_path: Path, content: bytes | None, status: str) -> None:
    file = tmp_path / "own.gguf"
    if content is not None:
        file.write_bytes(content)
    assert installation.weights(options("--model", str(file))).status == status


@pytest.fixture
def database(tmp_path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(tmp_path / "xinghe.db")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE entries (id INTEGER PRIMARY KEY, note TEXT)")
    connection.executemany("INSERT INTO entries (note) VALUES (?)", [("x" * 900,)] * 200)
    connection.commit()
    return connection


def test_a_database_in_use_and_at_rest(tmp_path: Path, database: sqlite3.Connection) -> None:
    asked = options("--data", str(tmp_path))
    assert installation.database(asked).status == OK
    database.close()
    assert installation.database(asked).status == OK
    assert os.listdir(tmp_path) == ["xinghe.db"]


def test_a_large_database_is_not_looked_through_beside_a_service(
    tmp_path: Path, database: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "QUICKLY_READ", 1000)
    for more, told in ((), "is sound"), (("--running",), "xinghe doctor"):
        found = installation.database(options("--data", str(tmp_path), *more))
        assert (found.status, told in found.text) == (OK, True)


def test_a_database_with_a_log_that_nobody_holds(
    tmp_path: Path, database: sqlite3.Connection
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    files = {"xinghe.db", "xinghe.db-wal"}
    for name in files:
        shutil.copy(tmp_path / name, copy)
    database.close()
    asked = options("--data", str(copy))
    assert installation.database(asked).status == WARN
    assert set(os.listdir(copy)) == files
    (copy / "xinghe.db-wal").write_bytes(b"")
    shutil.copy(tmp_path / "xinghe.db", copy)
    assert installation.database(asked).status == OK
    assert set(os.listdir(copy)) == files


def test_a_damaged_database(tmp_path: Path, database: sqlite3.Connection) -> None:
    database.close()
    file = tmp_path / "xinghe.db"
    content = bytearray(file.read_bytes())
    content[8192:65536] = os.urandom(65536 - 8192)
    file.write_bytes(content)
    finding = installation.database(options("--data", str(tmp_path)))
    assert finding.status == FAIL
    assert "backup" in finding.mend


def test_no_database_yet(tmp_path: Path) -> None:
    assert installation.database(options("--data", str(tmp_path))).status == OK
    assert os.listdir(tmp_path) == []
