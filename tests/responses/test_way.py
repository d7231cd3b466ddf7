"""The way that every priced request goes: charged as a chat is, when its client leaves, and when
it is sent again."""

from __future__ import annotations

import json
import secrets
import time

import pytest

from tests.api.test_disconnect import cancelled_soon, slow
from tests.kit.api import STRICT, Api
from tests.kit.books import Books
from tests.kit.models import CHAT
from tests.kit.raw import Connection, Reply
from tests.kit.script import Script
from tests.kit.upstream import Upstream
from tests.responses.kit import asking, streaming


def test_a_client_that_leaves_a_stream(api: Api, upstream: Upstream, books: Books) -> None:
    script = slow()
    with streaming(api, input=asking(script)) as (seen, live):
        for _ in live:
            if len(seen.of("response.output_text.delta")) >= 5:
                break
    left = time.monotonic()
    told = upstream.received(script)
    cancelled_soon(told, left)
    entry = books.usage(seen.headers["x-request-id"])
    assert entry["prompt_tokens"] > 0
    assert 5 <= entry["completion_tokens"] <= told.sent
    books.settled()


def test_a_client_that_leaves_a_whole_answer(api: Api, upstream: Upstream, books: Books) -> None:
    script = slow()
    body = json.dumps({"model": CHAT, "input": asking(script)}).encode()
    with Connection(api.url) as connection:
        connection.request("POST", f"{STRICT}/responses", body, api.headers)
        end = time.monotonic() + 60
        while not upstream.attempts(script) or upstream.received(script).sent < 3:
            assert time.monotonic() < end
            time.sleep(0.02)
    cancelled_soon(upstream.received(script), time.monotonic())
    books.settled()


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
