"""The way that every priced request goes: charged as a chat is, when its client leaves, and when
it is sent again."""

from __future__ import annotations

import json
import secrets

import pytest

from tests.kit.api import STRICT, Api
from tests.kit.books import Books
from tests.kit.models import CHAT
from tests.kit.raw import Reply
from tests.kit.script import Script
from tests.kit.upstream import Upstream
from tests.responses.kit import asking


def again(api: Api, key: str, script: Script, *, stream: bool) -> Reply:
    body = json.dumps({"model": CHAT, "input": asking(script), "stream": stream}).encode()
    headers = {**api.headers, "Idempotency-Key": key}
    return api.at(STRICT).send("POST", "/responses", body, headers)


@pytest.mark.parametrize("stream", [False, True])
def test_sent_again_with_its_key(api: Api, upstream: Upstream, books: Books, stream: bool) -> None:
    script, key = Script(), secrets.token_hex(8)
    first, second = (again(api, key, script, stream=stream) for _ in range(2))
    assert first.status == 200
    assert second.headers["idempotent-replayed"] == "true"
    assert second.body == first.body
    assert len(upstream.attempts(script)) == 1
    books.usage(first.headers["x-request-id"])
    books.settled()
