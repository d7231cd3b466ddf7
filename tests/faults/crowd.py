"""Many readers of streams at once, in this process, each with an account of its own choice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.kit.operations import CHATS, Operation
from tests.kit.sse import DONE


@dataclass
class Reader:
    """One stream as its client saw it."""

    account: str
    body: dict[str, Any]
    operation: Operation = CHATS
    """Of another than a chat, only what was received is read."""
    request_id: str = ""
    received: int = 0
    """Content chunks, a token each on the scripted upstream; on the embedded engine, at most
    a token each, since a token may be half a character."""
    text: str = ""
    finish: str | None = None
    done: bool = False
    usage: dict[str, Any] | None = field(default=None)


async def read(session: aiohttp.ClientSession, url: str, token: str, reader: Reader) -> None:
    """Read until the stream ends, however it ends."""
    with suppress(aiohttp.ClientError, ConnectionError):
        async with session.post(
            f"{url}{reader.operation.path}",
            json={**reader.body, "stream": True},
            headers={"Authorization": f"Bearer {token}"},
        ) as answer:
            assert answer.status == 200, await answer.text()
            reader.request_id = answer.headers["x-request-id"]
            async for line in answer.content:
                _take(reader, line.decode().strip())


def _take(reader: Reader, line: str) -> None:
    data = line.removeprefix("data: ")
    if data == line:
        return
    if data == DONE:
        reader.done = True
        return
    chunk = json.loads(data)
    assert not chunk.get("error"), chunk
    if reader.operation is not CHATS:
        reader.received += bool(reader.operation.told(chunk))
        return
    reader.usage = chunk.get("usage") or reader.usage
    for choice in chunk["choices"]:
        reader.finish = choice["finish_reason"] or reader.finish
        if choice["delta"]["content"]:
            reader.received += 1
            reader.text += choice["delta"]["content"]


async def watch(
    url: str,
    tokens: dict[str, str],
    readers: Sequence[Reader],
    meanwhile: Callable[[], Awaitable[None]],
) -> None:
    """Read all streams, and do something in the meantime; returns when all have ended."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=280)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        reading = [
            asyncio.create_task(read(session, url, tokens[reader.account], reader))
            for reader in readers
        ]
        await meanwhile()
        await asyncio.gather(*reading)
