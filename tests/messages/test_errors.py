"""Errors in Anthropic's form: each row of the contract, the edge's own, and within a stream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import MakeServer
from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.message import PATH, answered, ask, body_of, is_error, malformed, refused, stream
from tests.kit.models import CHAT, DOWN
from tests.kit.raw import Connection
from tests.kit.script import Fault, Script

COUNT = f"{PATH}/count_tokens"
BOTH = pytest.mark.parametrize("path", [PATH, COUNT])


@BOTH
def test_a_wrong_key(api: Api, path: str) -> None:
    for bearing in (None, "wrong"):
        reply = api.at("/v1").bearing(bearing).post(path, body_of())
        refused(reply, 401, "authentication_error", "IAM Certification failed")


@BOTH
def test_a_key_without_the_right(api: Api, books: Books, path: str) -> None:
    reading = books.server.token("--scope", "account.read")
    reply = api.at("/v1").bearing(reading).post(path, body_of())
    refused(reply, 401, "authentication_error", "lacks the scope model.call")
    limited = books.server.token("--model", "ernie-3.5-8k")
    reply = api.at("/v1").bearing(limited).post(path, body_of())
    refused(reply, 401, "authentication_error", "No permission to use the model")


@BOTH
def test_no_such_model(api: Api, path: str) -> None:
    reply = api.at("/v1").post(path, body_of(model="claude-haiku-4-5"))
    refused(reply, 404, "not_found_error", "no such model: 'claude-haiku-4-5'")


@BOTH
def test_another_method(api: Api, path: str) -> None:
    reply = api.at("/v1").get(path)
    refused(reply, 405, "invalid_request_error", "Only POST requests are accepted")
    assert reply.headers["allow"] == "POST, OPTIONS"


@pytest.mark.parametrize("path", [f"{PATH}/batches", f"{PATH}/count_tokens/x"])
def test_another_path_below(api: Api, path: str) -> None:
    refused(api.at("/v1").post(path, {}), 404, "not_found_error", "/messages")


@BOTH
@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "the body is empty"),
        (b"{", "Invalid JSON"),
        (b"[]", "the body is a JSON array"),
        (b'{"model": "\xff"}', "not in UTF-8"),
        (b'{"a":' * 2000 + b"1" + b"}" * 2000, "nested too deeply"),
    ],
    ids=["empty", "cut off", "array", "bytes", "deep"],
)
def test_no_json(api: Api, path: str, body: bytes, says: str) -> None:
    malformed(api.at("/v1").send("POST", path, body), says)


@BOTH
def test_too_large(api: Api, path: str) -> None:
    body = json.dumps(body_of(more="x" * (1024 * 1024))).encode()
    reply = api.at("/v1").send("POST", path, body)
    refused(reply, 413, "invalid_request_error", "allowed: up to 1048576")


def test_a_body_that_does_not_arrive(api: Api) -> None:
    with Connection(api.url) as connection:
        connection.request("POST", f"/v1{PATH}", None, {**api.headers, "Content-Length": "100"})
        refused(connection.reply(), 408, "invalid_request_error", "did not arrive within")


def test_the_root_is_asked_first(api: Api) -> None:
    """Claude Code looks whether anybody is there: any answer will do."""
    reply = api.at("").bearing(None).send("HEAD", "/")
    assert (reply.status, reply.body) == (404, b"")
    assert reply.headers["content-type"].startswith("application/json")


def test_nobody_can_be_reached(api: Api, books: Books) -> None:
    reply = ask(api, model=DOWN)
    refused(reply, 529, "overloaded_error", "try again in")
    assert int(reply.headers["retry-after"]) >= 1
    books.free(reply.headers["x-request-id"])


def test_no_engine_could_serve(api: Api) -> None:
    script = Script(fault="status", status=400)
    refused(ask(api, messages=script.messages), 500, "api_error", "Internal error")


def test_balance_and_limits(make_server: MakeServer) -> None:
    server = make_server(
        models='[models."scripted-chat"]\nrpm = 2\n'.replace("scripted-chat", "ernie-3.5-8k")
    )
    api = Api(server.url, server.token())
    server.run("member", "create", "poor", "--tokens", "20")
    poor = api.bearing(server.token(account="poor"))
    refused(ask(poor, model=CHAT), 403, "permission_error", "do not cover the request")
    model = "ernie-3.5-8k"
    answered(ask(api, model=model))
    # Counting costs nothing, and counts in the requests a minute.
    count = {"model": model, "messages": [{"role": "user", "content": "你好"}]}
    assert api.at("/v1").post(COUNT, count).status == 200
    for reply in (ask(api, model=model), api.at("/v1").post(COUNT, count)):
        refused(reply, 429, "rate_limit_error", "Rate limit reached for RPM")
        assert int(reply.headers["retry-after"]) >= 1
    Books(server).settled()


FAULTS: list[Fault] = ["reset", "truncate", "garbage", "error_event"]


@pytest.mark.parametrize("fault", FAULTS)
def test_within_a_stream(api: Api, books: Books, fault: Fault) -> None:
    script = Script(pieces=["一", "二", "三"], fault=fault, after=2)
    found = stream(api, messages=script.messages)
    assert found.text == "一二"
    assert not found.ended
    error: Any = found.error
    is_error(error, found.headers["x-request-id"], "api_error", "Internal error")
    books.settled()
