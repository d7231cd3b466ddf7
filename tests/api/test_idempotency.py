"""Idempotency-Key: the same request again gets the same answer, and is charged once."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest
from openai import OpenAI

from tests.conftest import MakeServer
from tests.kit.api import ALIAS, DOCUMENTED, STRICT, Api
from tests.kit.books import Books, noted
from tests.kit.expect import answered, malformed, refused
from tests.kit.models import CHAT, DOWN
from tests.kit.raw import Connection, Reply
from tests.kit.script import Script
from tests.kit.upstream import Upstream

REUSED = (400, "invalid_request_error", "idempotency_key_reused")
REPLAYED = "idempotent-replayed"
OF_THE_SERVER = {"date"}


def new_key() -> str:
    return secrets.token_hex(8)


def ask(api: Api, key: str, script: Script, **fields: Any) -> Reply:
    body = {"model": CHAT, "messages": script.messages, **fields}
    return send(api, key, json.dumps(body).encode())


def send(api: Api, key: str, body: bytes, path: str = "/chat/completions") -> Reply:
    headers = {**api.headers, "Idempotency-Key": key}
    return api.send("POST", path, body, headers)


def same(first: Reply, second: Reply) -> None:
    """The second is the first, and says so."""
    assert REPLAYED not in first.headers
    assert second.headers[REPLAYED] == "true"
    assert (second.status, second.body) == (first.status, first.body)
    shown = {name: value for name, value in second.headers.items() if name != REPLAYED}
    assert without_clock(shown) == without_clock(first.headers)


def without_clock(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in OF_THE_SERVER}


@pytest.mark.parametrize(
    ("mount", "path"),
    [(DOCUMENTED, "/chat/completions"), (STRICT, "/chat/completions"), (STRICT, "/messages")],
)
@pytest.mark.parametrize("stream", [False, True])
def test_the_same_answer_without_work_or_charge(
    api: Api, books: Books, upstream: Upstream, mount: str, path: str, stream: bool
) -> None:
    script, key = Script(), new_key()
    body = {"model": CHAT, "messages": script.messages, "max_tokens": 50, "stream": stream}
    asked = api.at(mount), key, json.dumps(body).encode(), path
    first = send(*asked)
    assert first.status == 200
    for _ in range(2):
        same(first, send(*asked))
    assert len(upstream.attempts(script)) == 1
    books.usage(first.headers["x-request-id"])
    books.settled()
    if stream:
        end = b'{"type":"message_stop"}' if path == "/messages" else b"[DONE]"
        assert first.body.endswith(b"data: " + end + b"\n\n")


def test_the_alias_is_the_same_operation(api: Api) -> None:
    script, key = Script(), new_key()
    same(ask(api, key, script), ask(api.at(ALIAS), key, script))


def test_other_mounts_accounts_and_keys_are_others(
    api: Api, upstream: Upstream, books: Books
) -> None:
    script, key = Script(), new_key()
    account = f"other-{new_key()}"
    books.server.run("member", "create", account)
    other = api.bearing(books.server.token(account=account))
    for asked in (api, api.at(STRICT), other):
        reply = ask(asked, key, script)
        answered(reply)
        assert REPLAYED not in reply.headers
    answered(ask(api, new_key(), script))
    assert len(upstream.attempts(script)) == 4


def test_another_token_of_the_account_gets_it_if_it_may_use_the_model(
    api: Api, books: Books
) -> None:
    script, key = Script(), new_key()
    first = ask(api, key, script)
    same(first, ask(api.bearing(books.server.token()), key, script))
    limited = api.bearing(books.server.token("--model", "ernie-3.5-8k"))
    refused(ask(limited, key, script), 401, "invalid_request_error", "invalid_model")


def test_another_body_is_refused(api: Api, books: Books) -> None:
    script, key = Script(), new_key()
    answered(ask(api, key, script))
    reply = ask(api, key, script, temperature=0.5)
    refused(reply, *REUSED, "Idempotency-Key", key)
    books.free(reply.headers["x-request-id"])
    # The body's bytes count, not what they mean.
    body = json.dumps({"model": CHAT, "messages": script.messages}, indent=1).encode()
    refused(send(api, key, body), *REUSED)


@pytest.mark.parametrize("stream", [False, True])
def test_a_second_one_waits_for_the_first(api: Api, upstream: Upstream, stream: bool) -> None:
    script, key = Script(pieces=["字"] * 10, rate=10), new_key()
    with ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(ask, api, key, script, stream=stream) for _ in range(5)]
        upstream_saw(upstream, script)
        refused(ask(api, key, Script()), *REUSED)  # while the first is at work
        replies = [each.result() for each in asked]
    assert len({reply.body for reply in replies}) == 1
    assert sorted(reply.headers.get(REPLAYED, "") for reply in replies) == ["", *["true"] * 4]
    assert len(upstream.attempts(script)) == 1


def upstream_saw(upstream: Upstream, script: Script) -> None:
    end = time.monotonic() + 60
    while not upstream.attempts(script):
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("stream", [False, True])
def test_who_left_frees_the_key(api: Api, books: Books, upstream: Upstream, stream: bool) -> None:
    script = Script(pieces=["字"] * 2000, rate=10, again=[Script()])
    key = new_key()
    body = json.dumps({"model": CHAT, "messages": script.messages, "stream": stream}).encode()
    with Connection(api.url) as connection:
        headers = {**api.headers, "Idempotency-Key": key}
        connection.request("POST", DOCUMENTED + "/chat/completions", body, headers)
        upstream_saw(upstream, script)
    second = send(api, key, body)
    assert second.status == 200
    assert REPLAYED not in second.headers
    assert len(upstream.attempts(script)) == 2
    same(second, send(api, key, body))
    books.settled()


def test_a_waiting_one_that_leaves_keeps_nobody(api: Api, upstream: Upstream) -> None:
    script, key = Script(pieces=["字"] * 10, rate=10), new_key()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, api, key, script)
        upstream_saw(upstream, script)
        body = json.dumps({"model": CHAT, "messages": script.messages}).encode()
        with Connection(api.url) as connection:
            headers = {**api.headers, "Idempotency-Key": key}
            connection.request("POST", DOCUMENTED + "/chat/completions", body, headers)
            time.sleep(0.2)
        same(first.result(), ask(api, key, script))
    assert len(upstream.attempts(script)) == 1


FAULTY = [
    Script(fault="status", status=500),
    Script(fault="status", status=429),
    Script(fault="garbage", after=1),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("script", FAULTY, ids=["500", "429", "midway"])
def test_a_failure_is_not_kept(
    api: Api, upstream: Upstream, books: Books, script: Script, stream: bool
) -> None:
    key = new_key()
    first = ask(api, key, script, stream=stream)
    assert b'"error"' in first.body
    seen = len(upstream.attempts(script))
    second = ask(api, key, script, stream=stream)
    assert REPLAYED not in second.headers
    assert len(upstream.attempts(script)) > seen
    if stream and script.after:  # what it showed is charged
        assert books.usage(second.headers["x-request-id"])["amount"] < 0
    else:
        books.free(second.headers["x-request-id"])


def test_a_refusal_leaves_the_key_to_the_mended_request(api: Api) -> None:
    script, key = Script(), new_key()
    malformed(ask(api, key, script, temperature=7), param="temperature")
    refused(ask(api, key, script, model="none"), 404, "invalid_request_error", "no_such_model")
    assert ask(api, key, script, model=DOWN).status == 500
    answered(ask(api, key, script))


@pytest.mark.parametrize("key", ["", " ", "a b", "键", "x" * 256, "a\tb"])
def test_a_bad_key(api: Api, key: str) -> None:
    malformed(ask(api, key, Script()), "Idempotency-Key", "1 to 255 visible ASCII characters")


def test_two_keys(api: Api) -> None:
    data = json.dumps({"model": CHAT, "messages": Script().messages}).encode()
    with Connection(api.url) as connection:
        headers = {**api.headers, "Idempotency-Key": "a", "idempotency-key": "b"}
        connection.request("POST", DOCUMENTED + "/chat/completions", data, headers)
        malformed(connection.reply(), "Idempotency-Key", "once")


@pytest.mark.parametrize("key", ["x", "x" * 255, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "';--"])
def test_a_good_key(api: Api, key: str) -> None:
    script = Script()
    first = ask(api, key, script)
    same(first, ask(api, key, script))


def test_a_key_on_get_is_nothing(api: Api) -> None:
    headers = {**api.headers, "Idempotency-Key": "a b"}
    assert api.send("GET", "/models", headers=headers).status == 200


def test_a_key_of_a_stranger_is_not_looked_at(api: Api) -> None:
    reply = ask(api.bearing("wrong"), "a b", Script())
    refused(reply, 401, "invalid_request_error", "invalid_iam_token")


def test_kept_over_a_restart_but_not_for_ever(make_server: MakeServer, upstream: Upstream) -> None:
    server = make_server()
    token = server.token()
    script, key = Script(pieces=["绝密的回答"]), new_key()
    first = ask(Api(server.url, token), key, script)
    server.stop()
    server.start()
    same(first, ask(Api(server.url, token), key, script))
    server.stop()
    assert present(server.data, "绝密的回答".encode())
    a_day_passes(server.data)
    server.start()  # sweeps
    again = ask(Api(server.url, token), key, script)
    assert REPLAYED not in again.headers
    assert len(upstream.attempts(script)) == 2
    server.stop()
    a_day_passes(server.data)
    server.start()
    server.stop()
    assert not present(server.data, "绝密的回答".encode())
    assert not present(server.data, key.encode())


def a_day_passes(data: Path) -> None:
    connection = apsw.Connection(str(data / "xinghe.db"))
    connection.execute("UPDATE kept_answers SET at = at - 86400 * 1000000")
    connection.close()


def present(folder: Path, text: bytes) -> bool:
    return any(text in file.read_bytes() for file in folder.rglob("*") if file.is_file())


def test_kill_9_frees_the_keys(make_server: MakeServer, upstream: Upstream) -> None:
    server = make_server()
    token = server.token()
    asked = {
        stream: (Script(pieces=["字"] * 2000, rate=10, again=[Script()]), new_key())
        for stream in (False, True)
    }
    with ThreadPoolExecutor(2) as pool:
        for stream, (script, key) in asked.items():
            pool.submit(quietly, Api(server.url, token), key, script, stream=stream)
        for script, _ in asked.values():
            upstream_saw(upstream, script)
        end = time.monotonic() + 60
        while not any(noted(server.data).values()):
            assert time.monotonic() < end
            time.sleep(0.05)
        server.kill()
    server.start()
    books = Books(server)
    books.settled()
    # What a stream had shown is owed, a whole answer that never came is not.
    (interrupted,) = [entry for entry in books.entries() if entry["kind"] == "usage"]
    assert interrupted["note"] == "interrupted"
    for stream, (script, key) in asked.items():
        second = ask(Api(server.url, token), key, script, stream=stream)
        assert second.status == 200
        assert REPLAYED not in second.headers
        same(second, ask(Api(server.url, token), key, script, stream=stream))
    books.settled()
    assert len([entry for entry in books.entries() if entry["kind"] == "usage"]) == 3


def test_kill_9_right_after_an_answer_never_charges_without_keeping(
    make_server: MakeServer,
) -> None:
    server = make_server()
    token = server.token()
    scripts = {new_key(): Script() for _ in range(40)}
    with ThreadPoolExecutor(8) as pool:
        asked = [
            pool.submit(partial(quietly, Api(server.url, token), key, script))
            for key, script in scripts.items()
        ]
        while not any(each.done() for each in asked):
            time.sleep(0.001)
        server.kill()
        for each in asked:
            each.result()
    server.start()
    books = Books(server)
    books.settled()
    charged = {e["request_id"] for e in books.entries() if e["kind"] == "usage"}
    api = Api(server.url, token)
    replies = [ask(api, key, script) for key, script in scripts.items()]
    kept = {reply.headers["x-request-id"] for reply in replies if REPLAYED in reply.headers}
    assert charged <= kept
    books.settled()


def quietly(api: Api, key: str, script: Script, **fields: Any) -> None:
    with suppress(EOFError, OSError):
        ask(api, key, script, **fields)


def test_the_oldest_answers_go_when_there_are_too_many(
    make_server: MakeServer, upstream: Upstream
) -> None:
    server = make_server(settings={"XINGHE_IDEMPOTENCY__MAX_BYTES": "16384"})
    api = Api(server.url, server.token())
    scripts = [Script() for _ in range(20)]
    for at, script in enumerate(scripts):
        answered(ask(api, f"key-{at}", script))
    assert REPLAYED in ask(api, "key-19", scripts[19]).headers
    assert REPLAYED not in ask(api, "key-0", scripts[0]).headers
    large, key = Script(pieces=["字" * 1000]), new_key()
    for _ in range(2):
        assert REPLAYED not in ask(api, key, large).headers
    assert len(upstream.attempts(large)) == 2


@pytest.mark.parametrize("automatic", [False, True])
def test_the_official_client(server: Any, token: str, upstream: Upstream, automatic: bool) -> None:
    # It has the header's machinery, but no name for it: by itself it sends none.
    script = Script()
    with OpenAI(base_url=server.url + DOCUMENTED, api_key=token) as client:
        headers = {"Idempotency-Key": new_key()}
        if automatic:
            client._idempotency_header = "Idempotency-Key"
            headers = {}
        create = partial(
            client.chat.completions.with_raw_response.create,
            model=CHAT,
            messages=script.messages,
            extra_headers=headers,
        )
        first, second = create(), create()
    assert (REPLAYED in second.headers) == (not automatic)
    assert (first.parse().id == second.parse().id) == (not automatic)


def test_the_log_and_the_books_hold_neither_key_nor_answer(api: Api, books: Books) -> None:
    script, key = Script(pieces=["绝密", "的回答"]), new_key()
    same(ask(api, key, script), ask(api, key, script))
    log = books.server.log.read_text("utf-8", "replace")
    assert key not in log
    assert "绝密" not in log
    assert "response_replayed" in log
