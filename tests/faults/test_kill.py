"""`kill -9` of the whole service in the midst of streams: restarted, the books are right."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.conftest import MakeServer
from tests.faults.crowd import Reader, watch
from tests.kit import operations
from tests.kit.api import Api
from tests.kit.books import MICRO, Books, noted
from tests.kit.expect import answered
from tests.kit.models import CHAT, LONG_STORY
from tests.kit.script import Script
from tests.kit.server import Server
from tests.kit.upstream import Upstream

ACCOUNTS = ["ann", "bob", "cho"]
RATE = 20
"""Tokens a second of each scripted stream, which then lasts 100 s."""
STREAMS = 50
TIMEOUT = 90.0
"""Seconds for what comes within two on a machine that does nothing else."""


def open_accounts(server: Server) -> dict[str, str]:
    """An access token of each account."""
    for name in ACCOUNTS:
        server.run("member", "create", name)
    return {name: server.token(account=name) for name in ACCOUNTS}


def charged(server: Server, readers: list[Reader]) -> dict[str, dict[str, int]]:
    """Prompt tokens, completion tokens and amount by request id; nothing else was charged."""
    found: dict[str, dict[str, int]] = {}
    for name in ACCOUNTS:
        books = Books(server, name)
        entries = [entry for entry in books.entries() if entry["kind"] == "usage"]
        assert {entry["request_id"] for entry in entries} == {
            reader.request_id for reader in readers if reader.account == name
        }
        books.settled()
        found |= {entry["request_id"]: entry for entry in entries}
    assert len(found) == len(readers)
    return found


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(TIMEOUT):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def killed_midway(
    server: Server, readers: list[Reader], under_way: Callable[[], bool]
) -> tuple[dict[str, str], dict[str, int]]:
    """Kill the server when all is under way, and a checkpoint has noted what was received by then.

    Returns the accounts' tokens, and how much that was for each request.
    """
    tokens = await asyncio.to_thread(open_accounts, server)
    before: dict[str, int] = {}

    def reached() -> bool:
        found = noted(server.data)
        return all(found[request] >= received for request, received in before.items())

    async def kill() -> None:
        await until(under_way)
        before.update({each.request_id: each.received for each in readers if each.received})
        await until(reached)
        # Checks by itself that no process of the tree is left.
        await asyncio.to_thread(server.kill)

    await watch(server.url, tokens, readers, kill)
    return tokens, before


async def test_killed_during_50_streams(make_server: MakeServer, upstream: Upstream) -> None:
    server = await asyncio.to_thread(make_server)
    scripts = [Script(pieces=["字"] * 2000, rate=RATE) for _ in range(STREAMS)]
    forms = [operations.ALL[i % 4] for i in range(STREAMS)]
    readers = [
        Reader(ACCOUNTS[i % 3], form.body(script), form)
        for i, (form, script) in enumerate(zip(forms, scripts, strict=True))
    ]
    tokens, before = await killed_midway(
        server, readers, lambda: all(reader.received > RATE for reader in readers)
    )
    assert len(before) == STREAMS
    assert not any(reader.done for reader in readers)
    await asyncio.to_thread(server.start)
    found = await asyncio.to_thread(charged, server, readers)
    for reader, script in zip(readers, scripts, strict=True):
        entry = found[reader.request_id]
        # Nothing that a checkpoint has noted is lost, and nothing is charged that never came.
        sent = upstream.received(script).sent
        assert before[reader.request_id] <= entry["completion_tokens"] <= sent
        assert entry["prompt_tokens"] > 0
        # Ratios of the scripted model: 1 and 2.
        cost = entry["prompt_tokens"] + 2 * entry["completion_tokens"]
        assert entry["amount"] == -cost * MICRO
    reply = await asyncio.to_thread(
        Api(server.url, tokens["bob"]).chat, model=CHAT, messages=Script().messages
    )
    answered(reply)


@pytest.mark.embedded
async def test_killed_during_8_embedded_streams(
    make_server: MakeServer, small_weights: str
) -> None:
    server = await asyncio.to_thread(make_server, small_weights)
    readers = [
        Reader(
            ACCOUNTS[i % 3],
            {
                "model": "ernie-speed-8k",
                "messages": [{"role": "user", "content": LONG_STORY.format(number=i)}],
                "max_tokens": 1000,
                "temperature": 0,
            },
        )
        for i in range(8)
    ]
    # Four of them have a slot of the engine, the others wait for one.
    _, before = await killed_midway(
        server, readers, lambda: sum(reader.received >= 10 for reader in readers) >= 4
    )
    began = [reader for reader in readers if reader.request_id]
    assert len(began) >= 4
    assert not any(reader.done for reader in readers)
    await asyncio.to_thread(server.start)
    found = await asyncio.to_thread(charged_embedded, server, readers)
    for reader in began:
        if not reader.received:
            continue  # it waited for a slot: nothing was begun, nothing is owed
        if reader.request_id in before:
            entry = found[reader.request_id]
            assert before[reader.request_id] <= entry["completion_tokens"] <= 1000
            assert entry["prompt_tokens"] > 10


def charged_embedded(server: Server, readers: list[Reader]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for name in ACCOUNTS:
        books = Books(server, name)
        books.settled()
        found |= {e["request_id"]: e for e in books.entries() if e["kind"] == "usage"}
    # One that was still waiting owes its prompt at most: nothing came of it.
    waiting = set(found) - {reader.request_id for reader in readers}
    assert all(found[request]["completion_tokens"] == 0 for request in waiting)
    return found
