"""`/messages` as Anthropic's clients see it: typed events, put together as they put them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.kit.api import HELLO, Api
from tests.kit.expect import REQUEST_ID, keeps_secrets
from tests.kit.models import CHAT
from tests.kit.raw import Connection, Reply

PATH = "/messages"
KINDS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("input", "partial_json"),
}
"""What each delta adds to in its block, and where its text stands."""


def body_of(**fields: Any) -> dict[str, Any]:
    return {"model": CHAT, "max_tokens": 100, "messages": HELLO, **fields}


def ask(api: Api, headers: Mapping[str, str] | None = None, **fields: Any) -> Reply:
    """A message that does not stream; one word is asked of a model that can nothing but chat."""
    data = json.dumps(body_of(**fields)).encode()
    return api.at("/v1").send("POST", PATH, data, {**api.headers, **(headers or {})})


def answered(reply: Reply) -> Any:
    """HTTP 200 with a message whose `id` is the request id's; gives the message."""
    assert reply.status == 200, reply.text
    request_id = reply.headers["x-request-id"]
    assert REQUEST_ID.fullmatch(request_id)
    message = reply.json
    assert message["id"] == request_id.replace("as-", "msg_")
    assert (message["type"], message["role"]) == ("message", "assistant")
    return message


def refused(reply: Reply, status: int, kind: str, *says: object) -> None:
    """A refusal in Anthropic's form, whose message holds each of `says`."""
    assert reply.status == status, reply.text
    assert reply.headers["content-type"].startswith("application/json")
    is_error(reply.json, reply.headers["x-request-id"], kind, *says)
    keeps_secrets(reply.body)


def malformed(reply: Reply, *says: object) -> None:
    refused(reply, 400, "invalid_request_error", *says)


def is_error(body: Any, request_id: str, kind: str, *says: object) -> None:
    assert set(body) == {"type", "error", "request_id"}
    assert (body["type"], body["request_id"]) == ("error", request_id)
    assert set(body["error"]) == {"type", "message"}
    assert body["error"]["type"] == kind, body
    for part in says:
        assert str(part) in body["error"]["message"], body


@dataclass
class MessageStream:
    """A stream as it comes, and the message that it amounts to."""

    headers: Mapping[str, str]
    events: list[dict[str, Any]] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    error: dict[str, Any] | None = None
    message: dict[str, Any] = field(default_factory=dict)
    ended: bool = False
    open: int | None = None
    _inputs: dict[int, str] = field(default_factory=dict)

    def take(self, event: dict[str, Any]) -> None:
        """The next event; anything out of order fails."""
        assert not self.ended
        assert self.error is None
        self.events.append(event)
        match event["type"]:
            case "ping":
                pass
            case "error":
                self.error = event
            case "message_start":
                assert not self.message
                self.message = event["message"]
                assert self.message["content"] == []
            case "content_block_start":
                assert self.open is None
                assert event["index"] == len(self.message["content"])
                self.open = event["index"]
                self.message["content"].append(event["content_block"])
            case "content_block_delta":
                self._add(event)
            case "content_block_stop":
                assert event["index"] == self.open
                said = self._inputs.get(event["index"])
                if said is not None:
                    self.message["content"][event["index"]]["input"] = json.loads(said)
                self.open = None
            case "message_delta":
                assert self.open is None
                self.message |= event["delta"]
                self.message["usage"] = event["usage"]
            case "message_stop":
                assert self.message["stop_reason"]
                self.ended = True
            case other:
                raise AssertionError(f"an event of type {other}")

    def _add(self, event: dict[str, Any]) -> None:
        at, delta = event["index"], event["delta"]
        assert at == self.open
        block = self.message["content"][at]
        if delta["type"] == "citations_delta":
            block["citations"] = [*(block.get("citations", ())), delta["citation"]]
            return
        name, field_ = KINDS[delta["type"]]
        assert name in block, block
        if name == "input":
            self._inputs[at] = self._inputs.get(at, "") + delta[field_]
        else:
            block[name] += delta[field_]

    @property
    def text(self) -> str:
        return "".join(each.get("text", "") for each in self.message["content"])


def typed(pieces: Iterator[bytes]) -> Iterator[dict[str, Any] | str]:
    """The events of a stream as they come; each has its type twice. A comment is its text."""
    buffer = b""
    for piece in pieces:
        buffer += piece
        *blocks, buffer = buffer.split(b"\n\n")
        for block in blocks:
            lines = block.decode().splitlines()
            if lines[0].startswith(":"):
                assert len(lines) == 1
                yield lines[0]
                continue
            name, data = lines
            event = json.loads(data.removeprefix("data: "))
            assert name == f"event: {event['type']}"
            yield event
    assert buffer == b"", f"the stream ended inside an event: {buffer!r}"


@contextmanager
def streaming(
    api: Api, headers: Mapping[str, str] | None = None, **fields: Any
) -> Iterator[tuple[MessageStream, Iterator[dict[str, Any]]]]:
    """A stream under way; each event is taken as it is given. Leaving the block hangs up."""
    data = json.dumps(body_of(stream=True, **fields)).encode()
    with Connection(api.url) as connection:
        connection.request("POST", "/v1" + PATH, data, {**api.headers, **(headers or {})})
        status, told = connection.head()
        pieces = connection.pieces(told)
        if status != 200:
            raise AssertionError(f"HTTP {status}: {b''.join(pieces).decode()}")
        assert told["content-type"].startswith("text/event-stream")
        stream = MessageStream(told)

        def live() -> Iterator[dict[str, Any]]:
            for event in typed(pieces):
                if isinstance(event, str):
                    stream.comments.append(event)
                else:
                    stream.take(event)
                    yield event

        yield stream, live()


def stream(api: Api, headers: Mapping[str, str] | None = None, **fields: Any) -> MessageStream:
    """A whole stream."""
    with streaming(api, headers, **fields) as (found, live):
        for _ in live:
            pass
    return found


def both(api: Api, **fields: Any) -> Any:
    """The answer whole and streamed, which are the same message."""
    whole, streamed = answered(ask(api, **fields)), stream(api, **fields)
    assert streamed.ended
    assert streamed.message["id"] == streamed.headers["x-request-id"].replace("as-", "msg_")
    assert without_ids(streamed.message) == without_ids(whole)
    return whole


def without_ids(message: dict[str, Any]) -> Any:
    """A message but for what each answer has its own of."""
    ids = {"id", "tool_use_id"}
    blocks = [
        {name: value for name, value in block.items() if name not in ids}
        for block in message["content"]
    ]
    return {**message, "id": "", "content": blocks}
