"""An account whose Tokens do not cover a request."""

from __future__ import annotations

import pytest

from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.expect import answered, refused
from tests.kit.models import CHAT
from tests.kit.script import Script
from tests.kit.server import Server
from tests.kit.upstream import Upstream


@pytest.fixture(scope="module")
def poor(server: Server, api: Api) -> Api:
    """A client of an account that owns 1,500 Tokens."""
    server.run("member", "create", "poor", "--tokens", "1500")
    return api.bearing(server.token(account="poor"))


@pytest.mark.parametrize("stream", [False, True])
def test_refused_before_any_work(
    poor: Api, server: Server, upstream: Upstream, stream: bool
) -> None:
    # 1,024 tokens of answer at ratio 2 alone need 2,048 Tokens.
    script = Script()
    reply = poor.chat(model=CHAT, messages=script.messages, stream=stream)
    refused(reply, 403, "access_denied", "token_quota_exceeded")
    message = reply.json["error"]["message"].replace(",", "")
    assert "1500" in message
    assert "2048" in message or any(str(need) in message for need in range(2049, 2700))
    assert upstream.attempts(script) == []
    Books(server, "poor").free(reply.headers["x-request-id"])


def test_a_smaller_request_is_covered(poor: Api, server: Server) -> None:
    script = Script(pieces=["好"], prompt_tokens=10)
    body = answered(poor.chat(model=CHAT, messages=script.messages, max_tokens=2))
    entry = Books(server, "poor").usage(body["id"])
    assert entry["completion_tokens"] == 1
