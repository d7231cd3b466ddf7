"""Assertions in the contract's own terms."""

from __future__ import annotations

import re
from typing import Any

from tests.kit.raw import Reply
from tests.kit.script import SECRET
from tests.kit.sse import Stream

REQUEST_ID = re.compile(r"as-[a-z0-9]{10}")


def answered(reply: Reply) -> Any:
    """HTTP 200 with a JSON body whose `id` is the request id; gives the body."""
    assert reply.status == 200, reply.text
    carries_request_id(reply)
    return reply.json


def carries_request_id(reply: Reply) -> None:
    """`x-request-id` is the body's `id`, in the documented form."""
    assert REQUEST_ID.fullmatch(reply.headers["x-request-id"])
    assert reply.json["id"] == reply.headers["x-request-id"]


def refused(
    reply: Reply, status: int, kind: str, code: str, *says: object, param: str | None = None
) -> None:
    """A row of the error table; the message holds each of `says`, `param` blames a field."""
    assert reply.status == status, reply.text
    assert reply.headers["content-type"].startswith("application/json")
    carries_request_id(reply)
    assert set(reply.json) == {"error", "id"}
    error = reply.json["error"]
    assert set(error) in ({"code", "message", "type"}, {"code", "message", "type", "param"})
    assert (error["type"], error["code"]) == (kind, code), error
    for part in says:
        assert str(part) in error["message"], error["message"]
    if param is not None:
        assert error["param"] == param
    keeps_secrets(reply.body)


def malformed(reply: Reply, *says: object, param: str | None = None) -> None:
    """400 `malformed_json`: the message names the field, the value and the allowed range."""
    refused(reply, 400, "invalid_request_error", "malformed_json", *says, param=param)


def bad_messages(reply: Reply, index: int | None) -> None:
    """400 `invalid_messages`: the message names the index."""
    refused(reply, 400, "invalid_request_error", "invalid_messages")
    if index is not None:
        message = reply.json["error"]["message"]
        assert re.search(rf"\b{index}\b", message), f"index {index} is not named: {message}"


def no_engine(reply: Reply) -> None:
    """500 `dispatch_internal_error`: "Internal error" and the id, and nothing of the upstream."""
    refused(reply, 500, "Internal_error", "dispatch_internal_error", "Internal error")
    assert reply.json["id"] in reply.json["error"]["message"]


def away(reply: Reply) -> None:
    """Nobody who serves the model can be reached: the row of its mount, and when to come again."""
    if reply.status == 503:
        refused(reply, 503, "Internal_error", "service_unavailable", "try again in")
    else:
        no_engine(reply)
    assert int(reply.headers["retry-after"]) >= 1


def broke_off(stream: Stream) -> None:
    """A stream that had begun ends with one error event and without `[DONE]`."""
    assert len(stream.errors) == 1
    assert not stream.done
    event = stream.errors[0]
    assert set(event) == {"error", "id"}
    assert event["id"] == stream.headers["x-request-id"]
    error = event["error"]
    assert (error["type"], error["code"]) == ("Internal_error", "dispatch_internal_error")
    assert stream.finish_reason is None
    keeps_secrets(repr(stream).encode())


def keeps_secrets(body: bytes) -> None:
    """Nothing of an upstream's text, of a path or of a stack trace."""
    for secret in (SECRET, "upstream-secret", "sk-upstream", "Traceback", "site-packages"):
        assert secret.encode() not in body
