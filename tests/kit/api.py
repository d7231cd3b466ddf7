"""The contract's operations, as raw requests: `api.chat(model=…)` reads like its row."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

from tests.kit.raw import Connection, Reply
from tests.kit.sse import Stream, events

DOCUMENTED = "/llm/lmapi/v3"
ALIAS = "/llm/lmapi/v3/v1"
STRICT = "/v1"

HELLO = [{"role": "user", "content": "你好"}]


@dataclass(frozen=True)
class Api:
    """A client at one mount of one server, with one token (none: no Authorization header)."""

    url: str
    token: str | None
    mount: str = DOCUMENTED

    def at(self, mount: str) -> Self:
        """The same client at another mount."""
        return replace(self, mount=mount)

    def bearing(self, token: str | None) -> Self:
        """The same client with another token."""
        return replace(self, token=token)

    @property
    def headers(self) -> dict[str, str]:
        sent = {"Content-Type": "application/json"}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        return sent

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One request under the mount; `headers` replace the usual ones."""
        with Connection(self.url) as connection:
            given = self.headers if headers is None else headers
            connection.request(method, self.mount + path, body, given)
            return connection.reply()

    def get(self, path: str) -> Reply:
        return self.send("GET", path)

    def post(self, path: str, body: object) -> Reply:
        return self.send("POST", path, json.dumps(body).encode())

    def chat(self, **fields: Any) -> Reply:
        """A chat completion that does not stream; `messages` default to a greeting."""
        return self.post("/chat/completions", {"messages": HELLO, **fields})

    def stream(self, **fields: Any) -> Stream:
        """A chat completion that streams, read to its end."""
        with self.streaming(**fields) as (stream, live):
            for event in live:
                stream.take(event)
        return stream

    @contextmanager
    def streaming(self, **fields: Any) -> Iterator[tuple[Stream, Iterator[str]]]:
        """A stream under way: its head, and its events as they come.

        Leaving the block closes the connection, as a client that goes away does.
        """
        body = json.dumps({"messages": HELLO, "stream": True, **fields}).encode()
        with Connection(self.url) as connection:
            connection.request("POST", self.mount + "/chat/completions", body, self.headers)
            status, headers = connection.head()
            pieces = connection.pieces(headers)
            if status != 200:
                raise AssertionError(f"HTTP {status}: {b''.join(pieces).decode()}")
            assert headers["content-type"].startswith("text/event-stream")
            yield Stream(status, headers), events(pieces)
