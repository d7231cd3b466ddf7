"""The check's work grows as the books do, and holds no writer up."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.kit.sqlite import in_memory, session
from tests.ledger.many import fill
from xinghe.accounts.audit import record
from xinghe.ledger import check, check_file
from xinghe.storage import Database
from xinghe.storage.sqlite import SQLiteBackend


def work(accounts: int) -> dict[str, int]:
    """The steps of SQLite's machine for each statement of the check."""
    connection, writing = in_memory()
    fill(writing, accounts, requests=2)
    steps: dict[str, int] = {}

    def seen(event: dict[str, Any]) -> None:
        steps[event["sql"]] = event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]

    connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, seen)
    assert check(writing) + check_file(writing) == []
    connection.trace_v2(0, None)
    connection.close()
    return steps


def test_four_times_the_accounts_are_four_times_the_work() -> None:
    small, large = work(500), work(2000)
    assert small.keys() == large.keys()
    assert max(small.values()) > 5000, "the tables were not looked at"
    grown = {sql: large[sql] / small[sql] for sql in small if large[sql] > 1000}
    assert max(grown.values()) < 4.5, max(grown, key=lambda sql: grown[sql])


def test_the_log_begins_anew_between_portions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is written meanwhile, it holds no more than what one snapshot needs."""
    monkeypatch.setattr("xinghe.ledger.entries.PORTION", 20)
    monkeypatch.setattr("xinghe.storage.sqlite.file.LOG_PAGES", 100)
    backend, log = SQLiteBackend.prepared(tmp_path, create=True), tmp_path / "xinghe.db-wal"
    with closing(backend.session()) as writing, closing(backend.session(read_only=True)) as reading:
        fill(writing, 100, requests=10)
        found, written = reading.rows, 0

        def rows(sql: str, *parameters: object) -> list[tuple[Any, ...]]:
            nonlocal written
            writing.run(
                "INSERT INTO audit (at, actor, action, subject, detail) VALUES (0, '', '', '', $1)",
                "x" * 100_000,
            )
            written += 100_000
            return found(sql, *parameters)

        monkeypatch.setattr(reading, "rows", rows)
        assert check(reading) == []
        assert written > 15_000_000
        assert log.stat().st_size < 6_000_000


@pytest.mark.slow
async def test_100_000_accounts_beside_a_writer(tmp_path: Path) -> None:
    async with await Database.open(tmp_path) as database:
        fill(session(database), 100_000)
        checker = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-m", "xinghe", "ledger", "check", "--data", str(tmp_path)]
        )
        writes, longest, began = 0, 0.0, time.monotonic()
        while checker.poll() is None:
            at = time.monotonic()
            await database.write(lambda c: record(c, "t", "a", "s"))
            longest = max(longest, time.monotonic() - at)
            writes += 1
            await asyncio.sleep(0.01)
        assert checker.returncode == 0
        print(f"{time.monotonic() - began:.1f} s, {writes} writes, the longest {longest:.3f} s")
        # Had the check kept the lock, there would be one.
        assert writes > 10
