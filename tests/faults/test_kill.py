"""`kill -9` of the whole service in the midst of streams: restarted, the books are right."""

from __future__ import annotations

import asyncio

import pytest

from tests.conftest import MakeServer
from tests.faults.crowd import Reader, watch
from tests.kit.api import Api
from tests.kit.books import MICRO, Books
from tests.kit.expect import answered
from tests.kit.models import CHAT, LONG_STORY
from tests.kit.script import Script
from tests.kit.server import Server

ACCOUNTS = ["ann", "bob", "cho"]
RATE = 40
"""Tokens a second of each scripted stream; one checkpoint is a second."""
STREAMS = 50
SLACK = 1.6
"""Checkpoints: one, and what a machine of two cores is late by under this load."""


def open_accounts(server: Server) -> dict[str, str]:
    """An access token of each account."""
    for name in ACCOUNTS:
        server.run("account", "create", name)
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


async def killed_midway(server: Server, readers: list[Reader], seconds: float) -> dict[str, str]:
    tokens = await asyncio.to_thread(open_accounts, server)

    async def kill() -> None:
        await asyncio.sleep(seconds)
        # Checks by itself that no process of the tree is left.
        await asyncio.to_thread(server.kill)

    await watch(server.url, tokens, readers, kill)
    return tokens


async def test_killed_during_50_streams(make_server: MakeServer) -> None:
    server = await asyncio.to_thread(make_server)
    scripts = [Script(pieces=["字"] * 2000, rate=RATE) for _ in range(STREAMS)]
    readers = [
        Reader(ACCOUNTS[i % 3], {"model": CHAT, "messages": script.messages})
        for i, script in enumerate(scripts)
    ]
    tokens = await killed_midway(server, readers, 4.5)
    assert all(reader.received > RATE for reader in readers)
    assert not any(reader.done for reader in readers)
    await asyncio.to_thread(server.start)
    found = await asyncio.to_thread(charged, server, readers)
    for reader in readers:
        entry = found[reader.request_id]
        assert abs(reader.received - entry["completion_tokens"]) <= RATE * SLACK
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
    await killed_midway(server, readers, 6)
    began = [reader for reader in readers if reader.request_id]
    assert len(began) >= 4
    assert not any(reader.done for reader in readers)
    await asyncio.to_thread(server.start)
    found = await asyncio.to_thread(charged_embedded, server, readers)
    for reader in began:
        if not reader.received:
            continue  # it waited for a slot: nothing was begun, nothing is owed
        entry = found[reader.request_id]
        # A second of this engine is far less than 60 tokens a stream.
        assert abs(reader.received - entry["completion_tokens"]) <= 60
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
