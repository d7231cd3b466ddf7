"""A client of `/v1/responses`: whole answers, and streams of typed events read to their end."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.kit.api import STRICT, Api
from tests.kit.models import CHAT
from tests.kit.raw import Connection, Reply
from tests.kit.script import Script
from tests.kit.server import Server

LAST = {"response.completed", "response.incomplete", "response.failed"}


def asking(script: Script) -> list[dict[str, Any]]:
    return [{"role": "user", "content": script.prompt}]


def create(api: Api, script: Script | None = None, **fields: Any) -> Reply:
    """One answer in one piece; `input` is the script, or a greeting."""
    asked = {"model": CHAT, "input": "你好" if script is None else asking(script)}
    return api.at(STRICT).post("/responses", asked | fields)


def another(server: Server) -> Api:
    """A member of his own."""
    name = f"other-{secrets.token_hex(4)}"
    server.run("member", "create", name)
    return Api(server.url, server.token(account=name), STRICT)


@dataclass
class Events:
    """All events of a stream."""

    headers: dict[str, str]
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def kinds(self) -> list[str]:
        return [each["type"] for each in self.events]

    @property
    def last(self) -> dict[str, Any]:
        """The response as the last event has it."""
        event = self.events[-1]
        assert event["type"] in LAST, event
        response: dict[str, Any] = event["response"]
        return response

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [each for each in self.events if each["type"] == kind]

    def take(self, block: str) -> dict[str, Any] | None:
        """An event of two lines, with the next number; or a comment."""
        if block.startswith(":"):
            return None
        name, data = block.splitlines()
        event: dict[str, Any] = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        if event.get("response", {}).get("status") != "cancelled":
            assert event["sequence_number"] == len(self.events)
        self.events.append(event)
        return event


def blocks(pieces: Iterator[bytes]) -> Iterator[str]:
    buffer = b""
    for piece in pieces:
        buffer += piece
        *whole, buffer = buffer.split(b"\n\n")
        for block in whole:
            yield block.decode()
    assert buffer == b"", f"the stream ended inside an event: {buffer!r}"


@contextmanager
def streaming(api: Api, **fields: Any) -> Iterator[tuple[Events, Iterator[dict[str, Any]]]]:
    """A stream under way; to leave the block is to close the connection."""
    body = json.dumps({"model": CHAT, "stream": True, **fields}).encode()
    with Connection(api.url) as connection:
        connection.request("POST", f"{STRICT}/responses", body, api.headers)
        status, headers = connection.head()
        pieces = connection.pieces(headers)
        if status != 200:
            raise AssertionError(f"HTTP {status}: {b''.join(pieces).decode()}")
        assert headers["content-type"].startswith("text/event-stream")
        seen = Events(headers)
        yield seen, (event for block in blocks(pieces) if (event := seen.take(block)))


def stream(api: Api, script: Script | None = None, **fields: Any) -> Events:
    """A stream that was read to its end."""
    asked = {"input": "你好" if script is None else asking(script)}
    with streaming(api, **(asked | fields)) as (seen, live):
        for _ in live:
            pass
    return seen
