"""A script's answer in OpenAI's wire forms: the events of a stream, or one completion."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.kit.script import Call, Script


@dataclass(frozen=True)
class Event:
    """Bytes of a stream that belong together; `is_piece` if they carry text."""

    data: bytes
    is_piece: bool = False


def events(script: Script, request: dict[str, Any]) -> Iterator[Event]:
    """The stream of a script, cut into writes as it says (bytewise cuts are the sender's)."""
    found = list(_events(script, request))
    if script.wire == "one_write":
        found = [Event(b"".join(event.data for event in found), is_piece=True)]
    yield from found


def _events(script: Script, request: dict[str, Any]) -> Iterator[Event]:
    options = request.get("stream_options") or {}
    with_usage = script.usage and options.get("include_usage")
    base = {"id": f"up-{script.id}", "object": "chat.completion.chunk", "created": 1}
    base["model"] = request["model"]

    def event(choices: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> bytes:
        body: dict[str, Any] = {**base, "choices": choices}
        if with_usage:
            body["usage"] = usage
        line = f"data: {json.dumps(body, ensure_ascii=False)}\n\n"
        if script.wire == "crlf":
            line = line.replace("\n", "\r\n")
        elif script.wire == "comments":
            line = f": a comment\n\nevent: message\nid: 7\nretry: 10\n{line}"
        return line.encode()

    def choice(delta: dict[str, Any], reason: str | None = None) -> list[dict[str, Any]]:
        said = {"index": 0, "delta": delta, "finish_reason": reason}
        if request.get("logprobs") and delta.get("content"):
            said["logprobs"] = {"content": [_likely(delta["content"], request["top_logprobs"])]}
        return [said]

    pieces, reason = _bounded(script, request)
    yield Event(event(choice({"role": "assistant", "content": ""})))
    for delta in _deltas(script, pieces):
        yield Event(event(choice(delta)), is_piece=True)
    yield Event(event(choice({}, reason)))
    if with_usage:
        yield Event(event([], _usage(script, pieces)))
    yield Event(b"data: [DONE]\r\n\r\n" if script.wire == "crlf" else b"data: [DONE]\n\n")


def _likely(token: str, others: int) -> dict[str, Any]:
    told = {"token": token, "logprob": -0.5, "bytes": list(token.encode())}
    top = [{"token": f"{at}", "logprob": -1.0 * at, "bytes": None} for at in range(others)]
    return told | {"top_logprobs": top}


def completion(script: Script, request: dict[str, Any]) -> dict[str, Any]:
    """The answer of a script to a request that does not stream."""
    pieces, reason = _bounded(script, request)
    message = {"role": "assistant", "content": "".join(piece * script.times for piece in pieces)}
    body: dict[str, Any] = {"id": f"up-{script.id}", "object": "chat.completion", "created": 1}
    body |= {"model": request["model"]}
    body |= {"choices": [{"index": 0, "message": message, "finish_reason": reason}]}
    return body | ({"usage": _usage(script, pieces)} if script.usage else {})


def _bounded(script: Script, request: dict[str, Any]) -> tuple[list[str], str]:
    limit = request.get("max_completion_tokens") or request.get("max_tokens")
    if limit is not None and limit < len(script.pieces):
        return script.pieces[:limit], "length"
    return script.pieces, "tool_calls" if script.calls else script.finish


def _deltas(script: Script, pieces: list[str]) -> Iterator[dict[str, Any]]:
    for thought in script.thoughts:
        yield {script.thoughts_as: thought}
    for piece in pieces:
        yield {"refusal" if script.refuses else "content": piece * script.times}
    for at, call in enumerate(script.calls):
        for fragment in _fragments(at, call):
            yield {"tool_calls": [fragment]}


def _fragments(at: int, call: Call) -> Iterator[dict[str, Any]]:
    function = {"name": call.name, "arguments": ""}
    yield {"index": at, "id": call.id, "type": "function", "function": function}
    for piece in call.arguments:
        yield {"index": at, "function": {"arguments": piece}}


def _usage(script: Script, pieces: list[str]) -> dict[str, Any]:
    count = script.completion_tokens
    called = sum(1 + len(call.arguments) for call in script.calls)
    made = len(pieces) + len(script.thoughts) + called if count is None else count
    return {
        "prompt_tokens": script.prompt_tokens,
        "completion_tokens": made,
        "total_tokens": script.prompt_tokens + made,
        "prompt_tokens_details": {"cached_tokens": script.cached_tokens},
    }
