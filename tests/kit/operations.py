"""Every operation that makes an answer of a conversation: asked, and read, in its own form."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.kit.api import DOCUMENTED, STRICT, Api
from tests.kit.models import CHAT
from tests.kit.raw import Connection
from tests.kit.script import Script
from tests.kit.sse import DONE

Event = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """`told` gives the text of an event of a stream, `said` that of a whole answer.

    `last` are the types of the event that ends a stream which came to its end; without, `[DONE]`
    does.
    """

    name: str
    path: str
    asked: Callable[[Script], dict[str, Any]]
    told: Callable[[Event], str]
    said: Callable[[dict[str, Any]], str]
    last: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.name

    def body(self, script: Script, **fields: Any) -> dict[str, Any]:
        """What a request for this script may hold."""
        return {"model": CHAT, **self.asked(script), **fields}


def _chats(script: Script) -> dict[str, Any]:
    return {"messages": script.messages, "max_tokens": 2048}


CHATS = Operation(
    "chat",
    f"{DOCUMENTED}/chat/completions",
    _chats,
    lambda event: "".join(each["delta"]["content"] for each in event["choices"]),
    lambda body: str(body["choices"][0]["message"]["content"]),
)
COMPLETIONS = Operation(
    "completions",
    f"{STRICT}/completions",
    lambda script: {"prompt": script.prompt, "max_tokens": 2048},
    lambda event: "".join(each["text"] for each in event["choices"]),
    lambda body: str(body["choices"][0]["text"]),
)
MESSAGES = Operation(
    "messages",
    f"{STRICT}/messages",
    _chats,
    lambda event: str(event.get("delta", {}).get("text", "")),
    lambda body: str(body["content"][0]["text"]),
    frozenset({"message_stop"}),
)
RESPONSES = Operation(
    "responses",
    f"{STRICT}/responses",
    lambda script: {"input": script.messages, "max_output_tokens": 2048},
    lambda event: event["delta"] if event["type"] == "response.output_text.delta" else "",
    lambda body: str(body["output"][0]["content"][0]["text"]),
    frozenset({"response.completed", "response.incomplete"}),
)
ALL = (CHATS, COMPLETIONS, MESSAGES, RESPONSES)
EACH = pytest.mark.parametrize("operation", ALL, ids=str)


@dataclass
class Seen:
    """What has come of a stream; `done` when it has come to its end."""

    operation: Operation
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""
    error: Event | None = None
    done: bool = False

    @property
    def id(self) -> str:
        return self.headers["x-request-id"]

    def take(self, line: str) -> None:
        """A line of the stream."""
        data = line.removeprefix("data: ")
        if data == line:
            return  # a comment, the name of an event, or the end of one
        assert not self.done, f"after the end: {line}"
        if data == DONE:
            self.done = True
            return
        event = json.loads(data)
        if event.get("error"):
            assert self.error is None
            self.error = event["error"]
        elif event.get("type") != "response.failed":
            assert self.error is None
            self.text += self.operation.told(event)
            self.done = event.get("type") in self.operation.last


@contextmanager
def streaming(
    api: Api, operation: Operation, script: Script, **fields: Any
) -> Iterator[tuple[Seen, Iterator[Seen]]]:
    """A stream under way, seen anew after each piece. Leaving the block closes the connection."""
    body = json.dumps(operation.body(script, stream=True, **fields)).encode()
    with Connection(api.url) as connection:
        connection.request("POST", operation.path, body, api.headers)
        status, headers = connection.head()
        pieces = connection.pieces(headers)
        assert status == 200, b"".join(pieces).decode()
        seen = Seen(operation, headers)

        def live() -> Iterator[Seen]:
            rest = b""
            for piece in pieces:
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    seen.take(line.decode())
                yield seen
            assert rest == b""

        yield seen, live()


def stream(api: Api, operation: Operation, script: Script, **fields: Any) -> Seen:
    """A stream that was read until it ended, however that was."""
    with streaming(api, operation, script, **fields) as (seen, live):
        for _ in live:
            pass
    return seen
