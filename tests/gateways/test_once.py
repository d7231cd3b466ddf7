"""What must be done once is done once, however many gateways there are."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from functools import partial
from pathlib import Path

import pytest

from tests.accounts.payer import spend
from tests.accounts.receiver import Receiver
from tests.gateways.conftest import Pair
from tests.kit.postgres import Cluster
from tests.supervisor.kit import GATEWAY, child
from xinghe.accounts import Alerts, Members, Tokens
from xinghe.catalog.rate import Rate
from xinghe.ledger import Ledger, holds
from xinghe.storage import Connection, Database, now

NOTICES = 6
HOLDS = 100


async def low(database: Database, url: str) -> None:
    """An account falls below its threshold."""
    name = f"low-{secrets.token_hex(4)}"
    await Members(database).create(name, amount=3_500_000)
    await Alerts(database).put(name, 3_000_000, url)
    await spend(database, name, 1_000_001)


async def slowly(_: int) -> int:
    await asyncio.sleep(1.5)  # longer than from one look into the outbox to the next
    return 204


async def test_each_notice_is_sent_once(pair: Pair, tmp_path: Path) -> None:
    async with Receiver() as receiver, await Database.open(tmp_path, pair.database) as database:
        receiver.answer = slowly
        for _ in range(NOTICES):
            await low(database, receiver.url)
        await receiver.count(NOTICES)
        await asyncio.sleep(2)
        assert len({headers["webhook-id"] for _, headers in receiver.received}) == NOTICES
        assert len(receiver.received) == NOTICES


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("which", [0, 1])
async def test_where_one_hangs_the_other_sends(pair: Pair, tmp_path: Path, which: int) -> None:
    gateway = child(pair.servers[which], GATEWAY)
    async with Receiver() as receiver, await Database.open(tmp_path, pair.database) as database:
        os.kill(gateway.pid, signal.SIGSTOP)
        try:
            await low(database, receiver.url)
            await receiver.count(1, timeout=25)
        finally:
            os.kill(gateway.pid, signal.SIGCONT)


def count(connection: Connection, state: str) -> int:
    found: int = connection.value("SELECT count(*) FROM holds WHERE state = $1", state)
    return found


async def test_the_holds_of_a_dead_gateway_are_released_once(
    postgres: Cluster, tmp_path: Path
) -> None:
    url = postgres.database()
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    async with (
        await Database.open(tmp_path / "one", url) as one,
        await Database.open(tmp_path / "other", url) as other,
    ):
        member = await Members(one).create("a", amount=HOLDS * 1_000_000)
        await Tokens(one).create("a")
        (token,) = await Tokens(one).list("a")
        for number in range(HOLDS):
            hold = holds.Hold(
                id=f"{number:030x}",
                member_id=member.id,
                token_id=token.id,
                wallets=(member.id,),
                budgets=(),
                request_id="as-0123456789",
                model="m",
                amount=1_000_000,
                owner="dead",
                stream=False,
                prompt_tokens=1,
                rate=Rate(input=1, output=0, cached_input=0),
                created_at=now(),
            )
            await one.write(partial(holds.reserve, hold=hold))
        # They begin by settling for the dead, both at once.
        ledgers = Ledger(one), Ledger(other)
        await asyncio.gather(*(each.start() for each in ledgers))
        try:
            async with asyncio.timeout(60):  # a start waits for some of it alone
                while await one.read(partial(count, state="open")):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            wallet = await one.read(
                lambda c: c.row("SELECT held, available FROM wallets WHERE id = $1", member.id)
            )
            assert wallet == (0, HOLDS * 1_000_000)
        finally:
            for each in ledgers:
                await each.stop()
