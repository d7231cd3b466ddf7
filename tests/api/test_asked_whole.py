"""Deployments that are asked whole for what their clients want whole (`whole = true`)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from tests.api.test_replicas import DEPLOYMENT
from tests.conftest import QUICK
from tests.kit import operations
from tests.kit.api import Api
from tests.kit.books import MICRO, Books
from tests.kit.expect import answered, no_engine
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.operations import Operation
from tests.kit.raw import Connection
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream


@pytest.fixture(scope="module")
def service(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    other = upstream.url.replace("127.0.0.1", "localhost")
    urls = f'"{upstream.url}", "{other}"'
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    models += DEPLOYMENT.format(name="whole", urls=urls, more="whole = true")
    with Server(tmp_path_factory.mktemp("whole"), models=models, settings=QUICK) as running:
        yield running
        Books(running).settled()


@pytest.fixture(scope="module")
def api(service: Server) -> Api:
    return Api(service.url, service.token())


@pytest.fixture(scope="module")
def books(service: Server) -> Books:
    return Books(service)


@operations.EACH
def test_a_whole_answer_is_asked_whole(
    api: Api, books: Books, upstream: Upstream, operation: Operation
) -> None:
    script = Script()
    reply = api.at("").post(operation.path, operation.body(script, model="whole"))
    assert reply.status == 200, reply.text
    assert operation.said(reply.json) == script.text
    asked = upstream.received(script).body
    assert "stream" not in asked
    assert "stream_options" not in asked
    assert books.usage(reply.headers["x-request-id"])["amount"] == -(10 + 2 * 3) * MICRO


def test_a_stream_is_asked_as_one(api: Api, upstream: Upstream) -> None:
    script = Script()
    assert api.stream(model="whole", messages=script.messages).done
    assert upstream.received(script).body["stream"] is True


@operations.EACH
def test_who_leaves_is_charged_the_prompt(
    api: Api, books: Books, upstream: Upstream, operation: Operation
) -> None:
    script = Script(pieces=["字"] * 2400, rate=10)
    body = json.dumps(operation.body(script, stream=False, model="whole")).encode()
    before = books.shown()["balance"]
    with Connection(api.url) as connection:
        connection.request("POST", operation.path, body, api.headers)
        end = time.monotonic() + 60
        while not upstream.attempts(script):
            assert time.monotonic() < end
            time.sleep(0.02)
    assert upstream.received(script).done.wait(60), "the upstream was never cancelled"
    books.settled()
    entry = books.entries(1)[0]
    assert entry["completion_tokens"] == 0
    assert entry["prompt_tokens"] > 0
    assert entry["amount"] == books.shown()["balance"] - before < 0


def test_one_that_is_refused_costs_nothing(api: Api, books: Books, upstream: Upstream) -> None:
    script = Script(fault="status", status=500)
    reply = api.chat(model="whole", messages=script.messages)
    no_engine(reply)
    books.free(reply.json["id"])


def test_one_that_breaks_off_is_made_anew(api: Api, books: Books, upstream: Upstream) -> None:
    script = replace(Script(fault="reset"), again=[Script()])
    body = answered(api.chat(model="whole", messages=script.messages))
    assert body["choices"][0]["message"]["content"] == Script().text
    assert len(upstream.attempts(script)) == 2
    assert books.usage(body["id"])["amount"] == -(10 + 2 * 3) * MICRO


@pytest.mark.parametrize(
    ("fields", "finish"),
    [({"stop": "好"}, "stop"), ({"max_tokens": 2}, "length")],
    ids=["stop", "length"],
)
def test_what_ends_an_answer_ends_it_here_too(api: Api, fields: object, finish: str) -> None:
    assert isinstance(fields, dict)
    script = Script()
    body = answered(api.chat(model="whole", messages=script.messages, **fields))
    assert body["choices"][0]["finish_reason"] == finish
