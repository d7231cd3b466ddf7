"""A token that is revoked or expires while it is being answered: the answer ends."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.conftest import QUICK
from tests.kit import operations
from tests.kit.api import DOCUMENTED, Api
from tests.kit.books import Books
from tests.kit.expect import refused
from tests.kit.models import ALL_SCRIPTED, CHAT, models_toml
from tests.kit.pace import allowed
from tests.kit.raw import Connection
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.sse import Stream, events
from tests.kit.upstream import Upstream
from xinghe.accounts import Tokens
from xinghe.api.priced import EXPIRY_SECONDS
from xinghe.storage import Database

UNCERTIFIED = (401, "invalid_request_error", "invalid_iam_token")
SECONDS = 5.0
"""Within which an answer ends whose token holds no longer (contract, Chat)."""


@pytest.fixture(scope="module")
def own(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    with Server(tmp_path_factory.mktemp("lapsed"), models=models, settings=QUICK) as running:
        yield running


@pytest.fixture(autouse=True)
def _settled(own: Server) -> Iterator[None]:
    own.token()  # makes the account
    yield
    Books(own).settled()


def long_answer(**changes: float) -> Script:
    """It would take 100 s."""
    return Script(["字"] * 2000, rate=20, **changes)  # type: ignore[arg-type]


def expiring(server: Server, seconds: float) -> str:
    async def make() -> str:
        async with await Database.open(server.data) as database:
            at = time.time_ns() // 1000 + round(seconds * 1_000_000)
            return await Tokens(database).create("default", expires_at=at)

    return asyncio.run(make())


def ends_honestly(stream: Stream) -> None:
    assert not stream.done
    assert stream.finish_reason is None
    (event,) = stream.errors
    error = event["error"]
    assert (error["type"], error["code"]) == UNCERTIFIED[1:]
    assert "revoked or expired" in error["message"]
    assert event["id"] == stream.headers["x-request-id"]


def test_streams_of_a_revoked_token(own: Server, upstream: Upstream) -> None:
    spared, revoked = Api(own.url, own.token()), Api(own.url, own.token())
    script, other = long_answer(), Script(["字"] * 120, rate=20)
    with (
        spared.streaming(model=CHAT, messages=other.messages) as (kept, kept_live),
        revoked.streaming(model=CHAT, messages=script.messages) as (stream, live),
    ):
        while len(stream.content) < 10:
            stream.take(next(live))
        assert revoked.token
        own.run("token", "revoke", revoked.token.split("-")[1])
        began = time.monotonic()
        for event in live:
            stream.take(event)
        assert time.monotonic() - began < allowed(SECONDS)
        ends_honestly(stream)
        for event in kept_live:
            kept.take(event)
    assert (kept.content, kept.done) == ("字" * 120, True)
    seen = upstream.received(script)
    assert seen.done.wait(60)
    entry = Books(own).usage(stream.headers["x-request-id"])
    assert len(stream.content) <= entry["completion_tokens"] <= seen.sent
    assert entry["prompt_tokens"] > 0


def test_streams_of_every_operation(own: Server, upstream: Upstream) -> None:
    """Each ends with an error in its own form."""
    api = Api(own.url, own.token())
    assert api.token
    scripts = [long_answer() for _ in operations.ALL]
    with ExitStack() as stack:
        streams = [
            stack.enter_context(operations.streaming(api, each, script))
            for each, script in zip(operations.ALL, scripts, strict=True)
        ]
        for seen, live in streams:
            while not seen.text:
                next(live)
        own.run("token", "revoke", api.token.split("-")[1])
        began = time.monotonic()
        for _, live in streams:
            for _ in live:
                pass
        assert time.monotonic() - began < allowed(SECONDS)
    for (seen, _), script in zip(streams, scripts, strict=True):
        assert not seen.done
        assert seen.error is not None
        assert "revoked or expired" in seen.error["message"]
        named = (
            ("type", "authentication_error")
            if seen.operation is operations.MESSAGES
            else ("code", "invalid_iam_token")
        )
        assert seen.error[named[0]] == named[1]
        told = upstream.received(script)
        assert told.done.wait(60)
        entry = Books(own).usage(seen.id)
        assert len(seen.text) <= entry["completion_tokens"] <= told.sent


@pytest.mark.parametrize("command", [["disable"], ["delete", "--yes"]], ids=lambda each: each[0])
def test_stream_of_a_member_who_is_gone(
    own: Server, upstream: Upstream, command: list[str]
) -> None:
    """Nobody else's ends, and what was answered stands in the books."""
    own.run("group", "create", command[0])
    own.run("member", "create", command[0])
    own.run("group", "add", command[0], command[0])
    api, script = Api(own.url, own.token(account=command[0])), long_answer()
    with api.streaming(model=CHAT, messages=script.messages) as (stream, live):
        while len(stream.content) < 10:
            stream.take(next(live))
        own.run("member", *command, command[0])
        began = time.monotonic()
        for event in live:
            stream.take(event)
        assert time.monotonic() - began < allowed(SECONDS)
    ends_honestly(stream)
    request, end = stream.headers["x-request-id"], time.monotonic() + 60
    while not re.search(f"usage .* {request} ", own.run("ledger", "entries")):
        assert time.monotonic() < end, "nothing was charged"
    refused(api.chat(model=CHAT), *UNCERTIFIED)


def test_stream_of_a_token_that_expires(own: Server) -> None:
    api = Api(own.url, expiring(own, 6))
    began = time.monotonic()
    stream = api.stream(model=CHAT, messages=long_answer().messages)
    assert time.monotonic() - began < 6 + SECONDS
    ends_honestly(stream)
    assert Books(own).usage(stream.headers["x-request-id"])["completion_tokens"] > 0


def test_stream_that_has_not_begun(own: Server, upstream: Upstream) -> None:
    api = Api(own.url, expiring(own, 4))
    script = long_answer(delay=100)
    began = time.monotonic()
    stream = api.stream(model=CHAT, messages=script.messages)
    ends_honestly(stream)
    assert stream.comments
    assert not stream.content
    assert time.monotonic() - began < 4 + allowed(SECONDS)
    assert upstream.received(script).done.wait(60)


def test_stream_that_waits_for_its_reader(own: Server, upstream: Upstream) -> None:
    """The engine is done and the charge saved, but the reader has taken only a little of it."""
    own.run("member", "create", "slow")
    books, api = Books(own, "slow"), Api(own.url, own.token(account="slow"))
    script = Script(["字"] * 1000, times=4000)  # 12 MB: the kernel keeps a part of it alone
    body = json.dumps({"model": CHAT, "messages": script.messages, "stream": True}).encode()
    with Connection(own.url, timeout=200) as connection:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 256 * 1024)
        connection.request("POST", f"{DOCUMENTED}/chat/completions", body, api.headers)
        stream = Stream(*connection.head())
        live = events(connection.pieces(stream.headers))
        end = time.monotonic() + 200
        while not upstream.attempts(script) or not upstream.received(script).ended:
            assert time.monotonic() < end, "the answer was not made"
            time.sleep(0.1)
        while not [entry for entry in books.entries() if entry["kind"] == "usage"]:
            assert time.monotonic() < end, "the answer was not finished"
            time.sleep(0.1)
        assert api.token
        own.run("token", "revoke", api.token.split("-")[1])
        began = time.monotonic()
        while time.monotonic() - began < EXPIRY_SECONDS + 1:
            stream.take(next(live))
            time.sleep(0.1)
        late = list(live)
        assert time.monotonic() - began < allowed(SECONDS)
    for event in late:  # to read what they say takes its time
        stream.take(event)
    ends_honestly(stream)
    assert 0 < len(stream.content) < len(script.text) * 2 / 3
    entry = books.usage(stream.headers["x-request-id"])
    assert entry["completion_tokens"] == len(script.pieces)


def test_whole_answer_ends_too_and_is_free(own: Server, upstream: Upstream) -> None:
    api = Api(own.url, own.token())
    script = long_answer()
    body = json.dumps({"model": CHAT, "messages": script.messages}).encode()
    with Connection(own.url, timeout=200) as connection:
        connection.request("POST", f"{DOCUMENTED}/chat/completions", body, api.headers)
        end = time.monotonic() + 60
        while not upstream.attempts(script):
            assert time.monotonic() < end
            time.sleep(0.05)
        assert api.token
        own.run("token", "revoke", api.token.split("-")[1])
        began = time.monotonic()
        reply = connection.reply()
        assert time.monotonic() - began < allowed(SECONDS)
    refused(reply, *UNCERTIFIED, "revoked or expired")
    assert upstream.received(script).done.wait(60)
    Books(own).free(reply.headers["x-request-id"])
