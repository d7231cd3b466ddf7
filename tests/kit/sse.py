"""A strict reader of server-sent events: anything that a picky client might stumble over fails."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.kit.raw import Reply

DONE = "[DONE]"


def events(pieces: Iterable[bytes]) -> Iterator[str]:
    """The lines of a stream, one event or comment at a time, as soon as each is complete.

    An event is given as its data, a comment with its leading colon.
    """
    buffer = b""
    for piece in pieces:
        buffer += piece
        *blocks, buffer = buffer.split(b"\n\n")
        for block in blocks:
            # Not at "\n" alone: many a client cuts at whatever Unicode calls a line's end.
            for line in block.decode().splitlines():
                assert line.startswith(("data: ", ":")), f"neither data nor a comment: {line!r}"
                yield line.removeprefix("data: ")
    assert buffer == b"", f"the stream ended inside an event: {buffer!r}"


@dataclass
class Stream:
    """A whole streamed answer."""

    status: int
    headers: Mapping[str, str]
    chunks: list[dict[str, Any]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    done: bool = False

    def take(self, event: str) -> None:
        """Sort one event into its list; nothing may follow `[DONE]`."""
        assert not self.done, f"an event after [DONE]: {event}"
        if event.startswith(":"):
            self.comments.append(event)
        elif event == DONE:
            self.done = True
        else:
            body = json.loads(event)
            (self.errors if "error" in body else self.chunks).append(body)

    @property
    def choices(self) -> list[dict[str, Any]]:
        return [choice for chunk in self.chunks for choice in chunk["choices"]]

    @property
    def content(self) -> str:
        return "".join(choice["delta"]["content"] for choice in self.choices)

    @property
    def finish_reason(self) -> str | None:
        reasons = [c["finish_reason"] for c in self.choices if c.get("finish_reason")]
        assert len(reasons) <= 1, f"more than one finish reason: {reasons}"
        return reasons[0] if reasons else None

    @property
    def usage(self) -> dict[str, Any] | None:
        found = [chunk["usage"] for chunk in self.chunks if chunk.get("usage")]
        assert len(found) <= 1, f"more than one usage: {found}"
        return found[0] if found else None


def stream_of(reply: Reply) -> Stream:
    """The stream that an answer is, read to its end already."""
    stream = Stream(reply.status, reply.headers)
    for event in events([reply.body]):
        stream.take(event)
    return stream
