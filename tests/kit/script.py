"""What the scripted upstream is told to do: the prompt itself is the script, as JSON."""

from __future__ import annotations

import json
import secrets
from typing import Literal

import msgspec

SECRET = "upstream-secret-text-/srv/llm/key=sk-upstream"
"""Stands in every faulty answer of the upstream; no client of ours may ever see it."""

Wire = Literal["plain", "one_write", "bytewise", "crlf", "comments"]
"""How the events are cut into writes: one event a write, all in one, or a byte at a time (which
splits characters and events alike); with CRLF line ends; with comments and unused SSE fields."""

Fault = Literal["none", "status", "reset", "truncate", "garbage", "error_event", "not_sse"]
"""What goes wrong, after `after` pieces: an HTTP error at once; a connection reset; an end without
finish reason or `[DONE]`; an event that is no JSON; an error event; a page that is no stream."""


class Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tool call that the upstream makes: its arguments come in pieces, a token each."""

    name: str
    arguments: list[str] = []
    id: str = "call-of-upstream"


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One answer of the upstream: the pieces of its text, a token each, and how they travel."""

    pieces: list[str] = msgspec.field(default_factory=lambda: ["你", "好", "。"])
    thoughts: list[str] = []
    """The chain of thought in a field of its own, before the text."""
    thoughts_as: Literal["reasoning_content", "reasoning"] = "reasoning_content"
    refuses: bool = False
    """The pieces are the model's own refusal."""
    calls: list[Call] = []
    """Tool calls after the text."""
    again: list[Script] = []
    """What it answers to the second request with this script, the third, and so on."""
    times: int = 1
    """How often each piece stands in its event: a long answer from a short prompt."""
    backwards: bool = False
    """All pieces stand backwards in the prompt: what moderation shall find in the answer only."""
    rate: float = 0.0
    """Pieces a second; 0: as fast as it goes."""
    pauses_at: int = 0
    """After so many pieces of a stream it waits for `Upstream.resume`; 0: nowhere."""
    delay: float = 0.0
    """Seconds of silence before the first byte, headers included."""
    finish: str = "stop"
    usage: bool = True
    prompt_tokens: int = 10
    completion_tokens: int | None = None
    cached_tokens: int = 0
    wire: Wire = "plain"
    fault: Fault = "none"
    after: int = 0
    status: int = 500
    code: str = ""
    """What the error of a `status` or an `error_event` is called."""
    replay: str = ""
    """A case of `tests/upstreams` that is the answer, whatever else the script says."""
    form: Literal["stream", "whole"] = "stream"
    """In which of its forms the case is replayed."""
    cuts: list[int] = []
    """Where its bytes are cut into writes."""
    id: str = msgspec.field(default_factory=lambda: secrets.token_hex(8))
    """Finds the request among all that the upstream received."""

    @property
    def text(self) -> str:
        return "".join(piece * self.times for piece in self.pieces)

    @property
    def prompt(self) -> str:
        return msgspec.json.encode(_turned(self)).decode()

    @property
    def messages(self) -> list[dict[str, str]]:
        return [{"role": "user", "content": self.prompt}]

    def at(self, request: int) -> Script:
        """The script for request number `request`, from 0."""
        return (
            self if not request or not self.again else self.again[min(request, len(self.again)) - 1]
        )


def read(messages: list[dict[str, object]]) -> Script:
    """The script in the last message that holds one; any other prompt gets the default answer."""
    for message in reversed(messages):
        content = message.get("content")
        if isinstance(content, list):
            content = "".join(part.get("text", "") for part in content)
        if not isinstance(content, str):
            continue
        # A client may have put a note before it, and the platform one behind it.
        at = 0 if content.startswith("{") else content.find('\n{"pieces":') + 1
        if at or content.startswith("{"):
            _, end = json.JSONDecoder().raw_decode(content, at)
            return _turned(msgspec.json.decode(content[at:end], type=Script))
    return Script()


def _turned(script: Script) -> Script:
    """The script as its prompt holds it, and back again."""
    if not script.backwards:
        return script
    calls = [
        msgspec.structs.replace(call, arguments=_backwards(call.arguments)) for call in script.calls
    ]
    return msgspec.structs.replace(
        script,
        pieces=_backwards(script.pieces),
        thoughts=_backwards(script.thoughts),
        calls=calls,
    )


def _backwards(pieces: list[str]) -> list[str]:
    return [piece[::-1] for piece in pieces[::-1]]
