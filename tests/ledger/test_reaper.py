"""Processes that die, sleep or share a file: real ones."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.kit.postgres import ON_SQLITE
from tests.ledger.books import ROOT, WORKER, Books, hold, used
from xinghe.accounts import Principal, Tokens
from xinghe.core import Usage
from xinghe.ledger import Ledger
from xinghe.ledger.settlements import Unsaved
from xinghe.storage import Connection, Database

Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
async def start(
    tokens: Tokens, books: Books, database: Database, database_url: str
) -> AsyncIterator[Start]:
    """Starts the worker process on this test's database."""
    secret = await tokens.create("a")
    processes: list[subprocess.Popen[str]] = []

    def start(action: str) -> subprocess.Popen[str]:
        command = [*WORKER, str(database.directory), database_url, secret, action]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


async def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return (await asyncio.to_thread(process.stdout.readline)).strip()


def lock_files(database: Database) -> list[Path]:
    return list((database.directory / "owners").iterdir())


async def test_kill_9(start: Start, ledger: Ledger, books: Books, database: Database) -> None:
    process = start("wait")
    assert await line(process) == "ready"
    assert await books.balance() == (800, 200)
    assert await ledger.reap() == 0
    assert len(lock_files(database)) == 2

    process.send_signal(signal.SIGKILL)
    process.wait()
    assert await ledger.reap() == 2
    assert await books.balance() == (1000 - 5 * 4 - 3 * 8, 0)
    (entry,) = await books.usage()
    assert (entry.prompt_tokens, entry.completion_tokens) == (5, 3)
    assert entry.note == "interrupted"
    assert len(lock_files(database)) == 1
    assert await ledger.reap() == 0


async def test_the_next_start_settles(start: Start, books: Books, database: Database) -> None:
    process = start("wait")
    assert await line(process) == "ready"
    process.kill()
    process.wait()
    ledger = Ledger(database)
    await ledger.start()
    assert await books.balance() == (1000 - 44, 0)
    await ledger.stop()
    assert lock_files(database) == []


async def test_a_process_that_sleeps_keeps_its_holds(
    start: Start, ledger: Ledger, books: Books
) -> None:
    process = start("wait")
    assert await line(process) == "ready"
    os.kill(process.pid, signal.SIGSTOP)
    assert await ledger.reap() == 0
    assert await books.balance() == (800, 200)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert await ledger.reap() == 2


async def test_kill_9_while_queued_costs_nothing(
    start: Start, ledger: Ledger, books: Books
) -> None:
    process = start("queue")
    assert await line(process) == "ready"
    assert await books.balance() == (900, 100)
    process.kill()
    process.wait()
    assert await ledger.reap() == 1
    assert await books.usage() == []


async def test_kill_9_soon_after_the_start_costs_the_prompt(
    start: Start, ledger: Ledger, books: Books
) -> None:
    process = start("begin")
    assert await line(process) == "ready"
    process.kill()
    process.wait()
    assert await ledger.reap() == 1
    (entry,) = await books.usage()
    assert (entry.prompt_tokens, entry.completion_tokens, entry.amount) == (5, 0, -20)


async def test_two_processes_spend_one_account(start: Start, ledger: Ledger, books: Books) -> None:
    first, second = start("spend"), start("spend")
    done = int(await line(first)) + int(await line(second))
    assert (first.wait(), second.wait()) == (0, 0)
    # 200 requests that cost 20 each and reserve 40: the account covers at most 49 of them.
    assert await books.balance() == (1000 - 20 * done, 0)
    assert len(await books.usage()) == done
    assert 25 <= done <= 49


async def test_two_processes_spend_one_token_up_to_its_cap(
    start: Start, ledger: Ledger, books: Books, tokens: Tokens
) -> None:
    await tokens.cap("2", 500, "day")
    first, second = start("spend"), start("spend")
    done = int(await line(first)) + int(await line(second))
    assert (first.wait(), second.wait()) == (0, 0)
    # Each reserves 40 and costs 20: the cap covers at most 24 of them.
    assert await books.balance() == (1000 - 20 * done, 0)
    assert 12 <= done <= 24
    found = (await tokens.list("a"))[1].cap
    assert found is not None
    assert found.used == 20 * done


async def test_kill_9_with_a_cap(
    start: Start, ledger: Ledger, books: Books, tokens: Tokens
) -> None:
    await tokens.cap("2", 500)
    process = start("wait")
    assert await line(process) == "ready"
    process.kill()
    process.wait()
    assert await ledger.reap() == 2
    found = (await tokens.list("a"))[1].cap
    assert found is not None
    assert found.used == 44


@ON_SQLITE
async def test_an_owner_without_its_file_is_dead(
    ledger: Ledger, principal: Principal, books: Books, database: Database
) -> None:
    other = Ledger(database)
    await other.start()

    async def answer() -> None:
        usage = Usage()
        async with hold(other, principal, usage, stream=False):
            used(usage, 5, 3)
            assert await ledger.reap() == 0
            (database.directory / "owners" / f"{other.owner.boot_id}.lock").unlink()
            assert await ledger.reap() == 1
            usage.finished = True

    with pytest.raises(Unsaved):
        await answer()
    # Exactly once: what the reaper resolved stays as it is.
    assert await books.balance() == (1000, 0)
    assert await books.usage() == []
    await other.stop()


async def test_leftovers_of_a_start_that_died(ledger: Ledger, database: Database) -> None:
    (database.directory / "owners" / "0123456789abcdef.draft").touch()
    (database.directory / "owners" / "fedcba9876543210.lock").touch()
    assert await ledger.reap() == 0
    assert len(lock_files(database)) == 1


async def test_checkpoints_follow_the_usage(
    ledger: Ledger, principal: Principal, database: Database
) -> None:
    async def noted() -> tuple[int, ...]:
        assert await database.drain() == 0
        query = (
            "SELECT started, prompt_tokens, emitted, cached_tokens, search_tokens, searches "
            "FROM holds"
        )
        found = await database.read(lambda c: c.rows(query))
        return found[0]

    usage = Usage()
    async with hold(ledger, principal, usage):
        ledger.checkpoint()
        assert await noted() == (0, 5, 0, 0, 0, 0)
        usage.searches = 1
        ledger.checkpoint()
        assert await noted() == (1, 0, 0, 0, 0, 1)
        usage.started, usage.completion_tokens = True, 2
        ledger.checkpoint()
        assert await noted() == (1, 5, 2, 0, 0, 1)
        used(usage, prompt=7, completion=9, cached=3)
        usage.search_tokens = 2
        async with asyncio.timeout(60):  # the regular task does the same
            while await noted() != (1, 7, 9, 3, 2, 1):  # noqa: ASYNC110
                await asyncio.sleep(0.05)


def no_usage(connection: Connection) -> None:
    """Have the database refuse every usage entry."""
    if connection.dialect == "sqlite":
        connection.run(
            "CREATE TRIGGER no_usage BEFORE INSERT ON entries WHEN new.kind = 'usage' "
            "BEGIN SELECT RAISE(ABORT, 'not now'); END"
        )
    else:
        connection.run(
            "CREATE TRIGGER no_usage BEFORE INSERT ON entries FOR EACH ROW "
            "WHEN (new.kind = 'usage') EXECUTE FUNCTION entries_are_append_only()"
        )


async def test_a_hold_that_cannot_be_settled_keeps_no_other_open(
    start: Start, ledger: Ledger, books: Books, database: Database, database_url: str
) -> None:
    process = start("wait")
    assert await line(process) == "ready"
    await database.write(no_usage)
    process.kill()
    process.wait()
    with capture_logs() as logs:
        assert await ledger.reap() == 1
    assert "hold_not_reaped" in [entry["event"] for entry in logs]
    assert await books.balance() == (900, 100)
    await books.agree()
    where = " ON entries" if database_url else ""
    await database.write(lambda c: c.run(f"DROP TRIGGER no_usage{where}"))
    assert await ledger.reap() == 1
    assert await books.balance() == (1000 - 44, 0)
