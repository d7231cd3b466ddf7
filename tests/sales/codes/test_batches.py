"""Batches of codes: in steps and yet whole; redeemed, expired, revoked."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from tests.sales.codes.batch import TOKEN, made, redeem
from xinghe.accounts import AccountError
from xinghe.accounts.rules import MAX_BALANCE
from xinghe.ledger import check, lots
from xinghe.ledger.windows import DAY
from xinghe.sales import codes
from xinghe.sales.codes import UnknownCode
from xinghe.storage import Connection, Database, now


async def test_it_is_credited_with_what_its_batch_says(database: Database) -> None:
    batch, (first, second) = await made(database, valid_days=30, models=("m", "n"))
    done = await redeem(database, first.lower())
    query = "SELECT kind, amount, expires_at, models, note FROM lots ORDER BY id DESC LIMIT 1"
    lot = await database.read(lambda c: c.row(query))
    note = f"code 1 of batch {batch.id}"
    assert lot == ("code", 5 * TOKEN, done.expires_at, '["m","n"]', note)
    assert done.expires_at is not None
    assert abs(done.expires_at - now() - 30 * DAY) < DAY
    await redeem(database, second, 2)
    after = await database.read(lambda c: codes.batch(c, batch.id))
    assert (after.redeemed, after.state(now())) == (2, "used")
    found = await database.read(lambda c: codes.redemptions(c, batch.id))
    assert [(each.number, each.wallet_id) for each in found] == [(1, 1), (2, 2)]
    assert await database.read(check) == []


async def test_why_a_code_is_void_is_told_to_who_has_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, (first, second) = await made(database)
    await redeem(database, first)
    with pytest.raises(AccountError, match="the code was redeemed already"):
        await redeem(database, first, 2)
    with monkeypatch.context() as patch:
        patch.setattr(codes, "now", lambda: batch.expires_at)
        with pytest.raises(AccountError, match="the code has expired"):
            await redeem(database, second)
    revoked = await database.write(lambda c: codes.revoke(c, "test", batch.id))
    assert revoked.state(now()) == "revoked"
    with pytest.raises(AccountError, match="the code was revoked"):
        await redeem(database, second)
    with pytest.raises(AccountError, match="the code was redeemed already"):
        await redeem(database, first)
    for unknown in ("XH-7K3M9", first[:-1] + ("0" if first[-1] != "0" else "1")):
        with pytest.raises(UnknownCode) as refused:
            await redeem(database, unknown)
        assert unknown not in str(refused.value)
    assert await database.read(check) == []


async def test_a_code_that_has_no_room_is_not_used_up(database: Database) -> None:
    _, (code, _) = await made(database)
    fill = partial(lots.credit, amount=MAX_BALANCE - 4 * TOKEN, kind="grant", at=now())
    await database.write(lambda c: fill(c, 2))
    with pytest.raises(AccountError, match="over"):
        await redeem(database, code, 2)
    await redeem(database, code, 1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("count", 0),
        ("count", 10_001),
        ("amount", 0),
        ("amount", MAX_BALANCE + 1),
        ("expires_at", 1),
        ("valid_days", 0),
        ("valid_days", 36_501),
        ("models", ()),
        ("name", ""),
    ],
)
async def test_a_batch_that_is_none(database: Database, field: str, value: Any) -> None:
    with pytest.raises(AccountError, match=f"^{field}: "):
        await made(database, **{field: value})
    assert await database.read(codes.batches) == []


async def test_a_batch_is_written_in_steps_and_seen_when_it_is_whole(database: Database) -> None:
    """Others write meanwhile, and see nothing of it."""
    making = asyncio.create_task(made(database, count=10_000))
    seen, written = [], set()

    def look(connection: Connection) -> tuple[int, int]:
        count = connection.value("SELECT count(*) FROM codes")
        return len(codes.batches(connection)), count

    while not making.done():
        known, count = await database.write(look)
        written.add(count)
        if count < 10_000:
            seen.append(known)
    batch, made_codes = await making
    assert len(written) > 3
    assert set(seen) == {0}
    assert len(set(made_codes)) == batch.count == 10_000
    assert await database.read(codes.batches) == [batch]
    for number in (1, 9_999):
        assert (await redeem(database, made_codes[number - 1])).number == number
    assert await database.read(check) == []


async def test_what_was_broken_off_is_never_seen_and_goes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "SELECT (SELECT count(*) FROM codes), (SELECT count(*) FROM code_batches)"
    with monkeypatch.context() as patch:
        patch.setattr("xinghe.storage.batches.ROWS", 10)
        making = asyncio.create_task(made(database, count=1000))
        while await database.read(lambda c: c.value("SELECT count(*) FROM codes")) < 20:  # noqa: ASYNC110
            await asyncio.sleep(0)
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making
    assert await database.drain() == 0
    left = await database.read(lambda c: c.row(query))
    assert left is not None
    assert left[0] >= 20
    assert left[1] == 1
    assert await database.read(codes.batches) == []
    assert await database.read(check) == []
    with pytest.raises(AccountError, match="there is no batch"):
        await database.write(lambda c: codes.revoke(c, "test", 1))
    monkeypatch.setattr(codes, "now", lambda: now() + 2 * DAY)
    await made(database, expires_at=now() + 9 * DAY)
    assert await database.read(lambda c: c.row(query)) == (2, 1)


def all_of(connection: Connection, *, table: str) -> list[Any]:
    return connection.rows(f"SELECT * FROM {table}")


async def test_a_code_is_nowhere_but_with_who_has_it(database: Database) -> None:
    _, made_codes = await made(database)
    await redeem(database, made_codes[0])
    for table in ("audit", "codes", "code_batches", "lots", "entries"):
        rows = await database.read(partial(all_of, table=table))
        for code in made_codes:
            assert code not in str(rows)
            assert code.replace("-", "") not in str(rows)
