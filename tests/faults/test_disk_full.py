"""A full disk under the database: requests are refused, nothing is lost, and it recovers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from tests.conftest import QUICK
from tests.faults.crowd import Reader, watch
from tests.kit import disk
from tests.kit.api import DOCUMENTED, Api
from tests.kit.books import Books, running
from tests.kit.disk import fill
from tests.kit.expect import answered, refused
from tests.kit.models import ALL_SCRIPTED, CHAT, models_toml
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from xinghe.ledger.journal import read


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    # The index of the service's own pages stands on it as well.
    with disk.small_disk(tmp_path / "disk", 24) as folder:
        yield folder


def test_full_disk(small_disk: Path, tmp_path: Path, upstream: Upstream) -> None:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    server = Server(small_disk / "data", models=models, settings=QUICK)
    server.log = tmp_path / "test.log"  # the log has room
    with server:
        api, books = Api(server.url, server.token()), Books(server)
        answered(api.chat(model=CHAT, messages=Script().messages))
        script = Script(pieces=["字"] * 40, rate=20)
        with api.streaming(model=CHAT, messages=script.messages) as (stream, live):
            stream.take(next(live))
            filler = small_disk / "filler"
            fill(filler)
            for _ in range(3):
                reply = api.chat(model=CHAT, messages=Script().messages)
                refused(reply, 500, "Internal_error", "internal_error", "Internal error")
            # A stream that had begun goes on: what it costs is written when there is room.
            for event in live:
                stream.take(event)
        assert stream.done
        filler.unlink()
        end = time.monotonic() + 60
        while (reply := api.chat(model=CHAT, messages=Script().messages)).status != 200:
            assert time.monotonic() < end, reply.text
            time.sleep(0.2)
        entry = books.usage(stream.headers["x-request-id"])
        assert entry["completion_tokens"] == len(script.pieces)
        books.settled()


AT_WORK = 50


@dataclass
class Sent:
    """One request that was at work when the disk became full, whole or streamed."""

    stream: bool
    key: str | None
    script: Script = field(default_factory=lambda: Script(delay=6.0))
    request_id: str = ""
    delivered: bool = False
    failed: bool = False

    async def send(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        if self.key is not None:
            headers["Idempotency-Key"] = self.key
        body = {"model": CHAT, "messages": self.script.messages, "stream": self.stream}
        async with session.post(
            f"{url}{DOCUMENTED}/chat/completions", json=body, headers=headers
        ) as answer:
            self.request_id = answer.headers["x-request-id"]
            text = await answer.text()
        if answer.status != 200:
            assert answer.status == 500
            assert json.loads(text)["error"]["code"] == "internal_error"
            self.failed = True
        elif self.stream:
            events = [line.removeprefix("data: ") for line in text.splitlines() if line]
            events = [event for event in events if not event.startswith(":")]
            self.failed = '"error"' in events[-1]
            self.delivered = events[-1] == "[DONE]"
            # Whatever has no good end says so, and shows no finish.
            assert self.delivered or not any('"finish_reason":"' in event for event in events)
        else:
            self.delivered = json.loads(text)["choices"][0]["finish_reason"] == "normal"
        assert self.delivered != self.failed


def writes(api: Api) -> bool:
    """Whether the database is written, as `/readyz` tells it."""
    reply = api.at("").get("/readyz")
    fine: bool = reply.json["checks"]["database"]
    assert fine or reply.status == 503
    return fine


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(100):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


@asynccontextmanager
async def full_beneath(
    folder: Path, server: Server, upstream: Upstream, token: str, *, keys: bool
) -> AsyncIterator[tuple[list[Sent], asyncio.Future[list[None]]]]:
    """Requests at work whose answers end when the disk is full; what ends when all have ended."""
    asked = [Sent(bool(number % 2), f"key-{number}" if keys else None) for number in range(AT_WORK)]
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        sending = asyncio.gather(*(each.send(session, server.url, token) for each in asked))
        await until(lambda: all(upstream.attempts(each.script) for each in asked))
        fill(folder / "filler")
        yield asked, sending


@pytest.mark.slow
@pytest.mark.parametrize("keys", [False, True], ids=["plain", "idempotent"])
async def test_no_answer_leaves_before_its_charge_is_on_the_disk(
    small_disk: Path, tmp_path: Path, upstream: Upstream, *, keys: bool
) -> None:
    server = Server(
        small_disk / "data",
        models=models_toml(upstream.url, free_port(), ALL_SCRIPTED),
        settings=QUICK,
    )
    server.log = tmp_path / "test.log"
    with server:
        token = await asyncio.to_thread(server.token)
        async with full_beneath(small_disk, server, upstream, token, keys=keys) as (asked, sending):
            await sending
        await asyncio.to_thread(server.kill)
        (small_disk / "filler").unlink()
        await asyncio.to_thread(server.start)
        books = Books(server)
        await asyncio.to_thread(books.settled)
        charged = {
            entry["request_id"]: entry["note"]
            for entry in await asyncio.to_thread(books.entries)
            if entry["kind"] == "usage"
        }
    delivered = [each for each in asked if each.delivered]
    uncharged = [each for each in delivered if each.request_id not in charged]
    print(f"{len(delivered)} delivered, {len(uncharged)} of them not charged")
    assert uncharged == []
    # The journal takes what the database does not; what is to be stored with a response waits.
    assert len(delivered) < AT_WORK if keys else len(delivered) == AT_WORK
    # An answer that failed costs nothing; a stream that had begun when we died, what it showed.
    assert not [
        each for each in asked if each.failed and not each.stream and each.request_id in charged
    ]


async def test_answers_that_waited_for_the_disk_are_delivered_and_charged_once(
    small_disk: Path, tmp_path: Path, upstream: Upstream
) -> None:
    server = Server(
        small_disk / "data",
        models=models_toml(upstream.url, free_port(), ALL_SCRIPTED),
        settings=QUICK,
    )
    server.log = tmp_path / "test.log"
    with server:
        api = Api(server.url, await asyncio.to_thread(server.token))
        assert api.token is not None
        async with full_beneath(small_disk, server, upstream, api.token, keys=False) as (
            asked,
            sending,
        ):
            await until(lambda: not writes(api))
            reply = await asyncio.to_thread(api.chat, model=CHAT, messages=Script().messages)
            refused(reply, 500, "Internal_error", "internal_error", "Internal error")
            await until(lambda: any(upstream.received(each.script).ended for each in asked))
            (small_disk / "filler").unlink()
            await sending
        await until(lambda: writes(api))
        books = Books(server)
        await asyncio.to_thread(books.settled)
        entries = await asyncio.to_thread(books.entries)
    charged = [entry["request_id"] for entry in entries if entry["kind"] == "usage"]
    assert sorted(charged) == sorted(each.request_id for each in asked if each.delivered)


def journalled(data: Path) -> dict[str, int]:
    """The completion tokens that the service's journal says of each running stream."""
    (file,) = (data / "owners").glob("*.lock")
    with file.open("rb") as opened:
        counts = {each.hold_id: each.usage.completion for each in read(opened.fileno())}
    return {request: counts.get(hold, 0) for hold, request in running(data).items()}


@pytest.mark.slow
async def test_killed_during_streams_while_the_disk_is_full(
    small_disk: Path, tmp_path: Path, upstream: Upstream
) -> None:
    server = Server(
        small_disk / "data",
        models=models_toml(upstream.url, free_port(), ALL_SCRIPTED),
        settings=QUICK,
    )
    server.log = tmp_path / "test.log"
    scripts = [Script(pieces=["字"] * 2000, rate=20) for _ in range(20)]
    readers = [Reader("default", {"model": CHAT, "messages": each.messages}) for each in scripts]
    before: dict[str, int] = {}

    async def kill() -> None:
        await until(lambda: all(reader.received > 5 for reader in readers))
        await asyncio.to_thread(fill, small_disk / "filler")
        await until(lambda: not writes(api))
        at = [reader.received for reader in readers]
        await until(
            lambda: all(r.received > past + 20 for r, past in zip(readers, at, strict=True))
        )
        before.update({reader.request_id: reader.received for reader in readers})
        await until(lambda: all(journalled(server.data)[each] >= n for each, n in before.items()))
        await asyncio.to_thread(server.kill)

    with server:
        api = Api(server.url, await asyncio.to_thread(server.token))
        assert api.token is not None
        await watch(server.url, {"default": api.token}, readers, kill)
        (small_disk / "filler").unlink()
        await asyncio.to_thread(server.start)
        books = Books(server)
        await asyncio.to_thread(books.settled)
        charged = {e["request_id"]: e for e in await asyncio.to_thread(books.entries)}
    for reader, script in zip(readers, scripts, strict=True):
        entry = charged[reader.request_id]
        sent = upstream.received(script).sent
        assert before[reader.request_id] <= entry["completion_tokens"] <= sent
