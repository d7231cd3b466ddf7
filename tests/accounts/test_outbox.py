"""Notices on their way to a real receiver: one that answers, is down, is slow, or fails."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from structlog.testing import capture_logs

from tests.accounts.payer import spend, waiting
from tests.accounts.receiver import Receiver, takes
from tests.kit.server import free_port
from xinghe.accounts import Alerts, Members
from xinghe.accounts.outbox import Notice, Outbox
from xinghe.storage import Database

ROOT = Path(__file__).parents[2]
PAYER = [sys.executable, "-m", "tests.accounts.payer"]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as running:
        yield running


@pytest.fixture
def logs() -> Iterator[list[dict[str, object]]]:
    with capture_logs() as captured:
        yield captured  # type: ignore[misc]


def quick(database: Database, *, timeout: float = 0.5, rest: float = 60) -> Outbox:
    """An outbox that does not make a test wait."""
    return Outbox(database, poll=0.02, pauses=(0.05, 0.1), timeout=timeout, rest=rest)


async def low(database: Database, url: str | None) -> str | None:
    """The account `a` falls below its threshold; returns the secret of its notices."""
    await Members(database).create("a", amount=3_500_000)
    alert = await Alerts(database).put("a", 3_000_000, url)
    await spend(database, "a", 1_000_001)
    return alert.secret


async def emptied(database: Database) -> None:
    async with asyncio.timeout(60):
        while await database.read(waiting):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def told(logs: list[dict[str, object]], event: str) -> int:
    return sum(line["event"] == event for line in logs)


async def test_a_notice(
    database: Database, receiver: Receiver, logs: list[dict[str, object]]
) -> None:
    secret = await low(database, receiver.url)
    assert secret is not None
    outbox = quick(database)
    await outbox.start()
    await emptied(database)
    await outbox.stop()
    ((body, headers),) = receiver.received
    account = await Members(database).get("a")
    sent = json.loads(body)
    assert sent.pop("at").startswith("20")
    assert sent == {
        "event": "low_balance",
        "account": "a",
        "appid": account.appid,
        "available": 2.499999,
        "threshold": 3,
    }
    assert headers["content-type"] == "application/json"
    assert "x-xinghe-signature" not in headers
    Webhook(secret).verify(body, headers)
    for name, other in (("webhook-id", "msg_0"), ("webhook-timestamp", str(int(time.time()) - 60))):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, {**headers, name: other})
    (line,) = [line for line in logs if line["event"] == "low_balance"]
    assert (line["log_level"], line["account"], line["available"]) == ("warning", "a", "2.499999")
    assert secret not in str(logs)


async def test_without_a_webhook_the_log_alone_tells(
    database: Database, logs: list[dict[str, object]]
) -> None:
    await low(database, None)
    outbox = quick(database)
    await outbox.start()
    await emptied(database)
    await outbox.stop()
    assert told(logs, "low_balance") == 1


async def test_500_then_200(
    database: Database, receiver: Receiver, logs: list[dict[str, object]]
) -> None:
    async def third_time(number: int) -> int:
        return 200 if number == 3 else 500

    receiver.answer = third_time
    await low(database, receiver.url)
    outbox = quick(database)
    await outbox.start()
    await emptied(database)
    await outbox.stop()
    assert len(receiver.received) == 3
    assert len({(body, headers["webhook-id"]) for body, headers in receiver.received}) == 1
    assert (told(logs, "low_balance"), told(logs, "webhook_failed")) == (1, 2)


def test_a_secret_of_before_signs_with_its_own_characters() -> None:
    notice = Notice(7, "a", "app-0", 1, 2, 5, True, "http://a.example/", "an-old_secret")
    body = notice.body()
    headers = notice.signed(body)
    Webhook(b"an-old_secret").verify(body, headers)
    # As it was before: its receiver may know nothing else.
    mac = hmac.new(b"an-old_secret", body, hashlib.sha256).hexdigest()
    assert headers["X-Xinghe-Signature"] == f"sha256={mac}"


async def test_neither_the_address_nor_what_it_says_comes_into_the_log(
    database: Database, logs: list[dict[str, object]]
) -> None:
    """Whoever knows the address of many a receiver may post there."""

    async def breaks_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nQUITE PRIVATE\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(breaks_http, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await low(database, f"http://127.0.0.1:{port}/T0P-SECRET?key=T0P-SECRET")
        outbox = quick(database)
        await outbox.start()
        async with asyncio.timeout(60):
            while told(logs, "webhook_failed") < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await outbox.stop()
    assert "PRIVATE" not in str(logs)
    assert "T0P-SECRET" not in str(logs)


@pytest.mark.parametrize("status", [301, 404, 503])
async def test_three_tries_then_a_rest_then_a_restart(
    database: Database, receiver: Receiver, logs: list[dict[str, object]], status: int
) -> None:
    async def refuses(number: int) -> int:
        return status

    receiver.answer = refuses
    await low(database, receiver.url)
    outbox = quick(database)
    await outbox.start()
    await receiver.count(3)
    await asyncio.sleep(0.4)  # longer than any pause between two tries
    await outbox.stop()
    assert len(receiver.received) == 3
    assert await database.read(waiting) == 1
    receiver.answer = takes
    outbox = quick(database)
    await outbox.start()
    await emptied(database)
    await outbox.stop()
    assert len(receiver.received) == 4
    assert told(logs, "low_balance") == 1


async def test_a_receiver_that_comes_back_later(database: Database) -> None:
    receiver = Receiver(free_port())
    await low(database, receiver.url)
    outbox = quick(database, rest=0.2)
    await outbox.start()
    await asyncio.sleep(0.5)
    assert await database.read(waiting) == 1
    async with receiver:
        await receiver.count(1)
        await emptied(database)
    await outbox.stop()


async def test_a_slow_receiver_delays_neither_requests_nor_other_notices(
    database: Database, receiver: Receiver
) -> None:
    async def never(number: int) -> int:
        await asyncio.sleep(600)
        return 200

    await low(database, receiver.url)
    receiver.answer = never
    outbox = quick(database, timeout=600)
    await outbox.start()
    await receiver.count(1)
    async with Receiver() as other:
        await Members(database).create("b", amount=100)
        await Alerts(database).put("b", 100, other.url)
        for _ in range(50):
            await spend(database, "b", 1)
        await other.count(1)
        assert len(receiver.received) == 1, "the slow one was given up meanwhile"
    await outbox.stop()
    assert await database.read(waiting) == 1


async def test_an_answer_that_does_not_come_in_time_is_a_failed_try(
    database: Database, receiver: Receiver
) -> None:
    async def late_at_first(number: int) -> int:
        await asyncio.sleep(600 if number == 1 else 0)
        return 200

    receiver.answer = late_at_first
    await low(database, receiver.url)
    outbox = quick(database, timeout=1)
    await outbox.start()
    await emptied(database)
    await outbox.stop()
    assert len(receiver.received) >= 2


def start(database: Database, url: str, *arguments: str) -> subprocess.Popen[str]:
    command = [*PAYER, str(database.directory), url, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


async def test_kill_9_between_capture_and_delivery(
    database: Database, database_url: str, receiver: Receiver
) -> None:
    await Members(database).create("a", amount=1000)
    await Alerts(database).put("a", 600, receiver.url)
    with start(database, database_url, "a", "500") as process:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == "captured\n"
        process.kill()
    assert receiver.received == []
    outbox = quick(database)
    await outbox.start()
    await emptied(database)
    await outbox.stop()
    ((body, _),) = receiver.received
    assert json.loads(body)["available"] == 0.0005


async def test_kill_9_between_delivery_and_the_note_of_it(
    database: Database, database_url: str, receiver: Receiver
) -> None:
    await Members(database).create("a", amount=1000)
    await Alerts(database).put("a", 600, receiver.url)
    with start(database, database_url, "a", "500", "send") as process:

        async def kills(number: int) -> int:
            os.kill(process.pid, signal.SIGKILL)
            return 200

        receiver.answer = kills
        await receiver.count(1)
    receiver.answer = takes
    outbox = quick(database)
    await outbox.start()
    await emptied(database)
    await outbox.stop()
    first, second = receiver.received
    assert first[0] == second[0]
