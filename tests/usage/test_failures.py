"""Requests that failed: all are counted, few stand for themselves, none for longer than a week."""

from __future__ import annotations

import pytest

from tests.usage.small import CLASS, MEMBER, NOON, PUPIL, STRANGER, Small
from xinghe.ledger.windows import DAY, MINUTE
from xinghe.storage import Database, StorageError, now
from xinghe.usage import failures, requests
from xinghe.usage.failures import Failed, Failures
from xinghe.usage.scope import Scope


def failed(
    request_id: str = "as-x", member: int = MEMBER, at: int = NOON, wallet: int = 0
) -> Failed:
    payer = wallet or member
    return Failed(payer, member, member, request_id, at, "chat", "m", 429, "rpm", 3)


async def count(database: Database, table: str, column: str) -> int:
    found = await database.read(
        lambda c: c.value(f"SELECT CAST(sum({column}) AS BIGINT) FROM {table}")
    )
    return int(found or 0)


async def test_a_flood_becomes_few_writes_and_is_counted_whole(small: Small) -> None:
    gathered = Failures(small.database)
    for number in range(5000):
        gathered.note(failed(f"as-{number}"))
    gathered.note(failed("as-other", PUPIL))
    gathered.note(failed("as-later", at=NOON + MINUTE))
    await gathered.flush()
    assert await count(small.database, "usage_hours", "requests") == 5002
    assert await count(small.database, "usage_hours", "1") == 2
    assert await count(small.database, "failures", "1") == failures.A_MINUTE + 2
    await gathered.flush()
    assert await count(small.database, "usage_hours", "requests") == 5002


async def test_what_is_gathered_is_bounded(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "MOST_COUNTS", 2)
    monkeypatch.setattr(failures, "MOST_ROWS", 2)
    gathered = Failures(small.database)
    for member in range(1, 5):
        gathered.note(failed(member=member))
    gathered.note(failed(member=1))
    await gathered.flush()
    assert await count(small.database, "usage_hours", "requests") == 3
    assert await count(small.database, "failures", "1") == 2


async def test_what_the_database_does_not_take_is_written_later(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    gathered = Failures(small.database)
    gathered.note(failed())

    async def refuse(*_: object, **__: object) -> None:
        raise StorageError("away")

    with monkeypatch.context() as patch:
        patch.setattr(small.database, "write", refuse)
        gathered.note(failed())
        with pytest.raises(StorageError):
            await gathered.flush()
        await gathered.stop()  # it says so in the log, and stops
    gathered.note(failed())
    await gathered.flush()
    assert await count(small.database, "usage_hours", "requests") == 3
    assert await count(small.database, "failures", "1") == 3


async def test_a_row_is_kept_for_a_week(small: Small) -> None:
    gathered = Failures(small.database)
    gathered.note(failed("as-old", at=now() - 8 * DAY))
    gathered.note(failed("as-new", at=now() - 6 * DAY))
    await gathered.flush()
    await gathered.sweep()
    mine = Scope(member=MEMBER)
    assert await small.read(requests.find, mine, "as-old", paying=()) is None
    found = await small.read(requests.find, mine, "as-new", paying=())
    assert isinstance(found, requests.Failure)
    assert (found.code, found.status, found.appid) == ("rpm", 429, "app-1")
    assert await count(small.database, "usage_hours", "requests") == 2


async def test_it_is_for_whose_it_is_and_whose_wallet_it_is(small: Small) -> None:
    gathered = Failures(small.database)
    gathered.note(failed("as-1", PUPIL, wallet=CLASS))
    await gathered.flush()
    for scope, seen in (
        (Scope(member=PUPIL), True),
        (Scope(wallets=(CLASS,)), True),
        (Scope(member=STRANGER), False),
        (Scope(wallets=(MEMBER,)), False),
    ):
        found = await small.read(requests.find, scope, "as-1", paying=())
        assert (found is not None) == seen
