"""`fallback` on the embedded engine, which differs in all it can do; the gateway's own death."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.conftest import QUICK
from tests.kit.api import STRICT, Api
from tests.kit.books import Books, started
from tests.kit.expect import answered
from tests.kit.models import models_toml
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream

pytestmark = [pytest.mark.slow, pytest.mark.embedded]

MODELS = """
[deployments.gone]
engine = "upstream"
url = "http://127.0.0.1:{closed}/v1"
model = "gone"

[models.lost]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 64
reasoning_max = 64
capabilities = ["tools", "json_object", "json_schema", "reasoning"]
input_ratio = 1.0
output_ratio = 2.0
deployment = "gone"
fallback = ["embedded"]

[models.led]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
deployment = "scripted"
fallback = ["quiet"]
"""
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}},
    "required": ["city"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def service(
    small_weights: str, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    models = models_toml(upstream.url, free_port()) + MODELS.format(closed=free_port())
    data = tmp_path_factory.mktemp("engines")
    with Server(data, "--model", small_weights, models=models, settings=QUICK) as running:
        running.token()
        yield running
        Books(running).settled()


@pytest.fixture(scope="module")
def api(service: Server) -> Api:
    return Api(service.url, service.token())


def charged(service: Server, request_id: str, usage: dict[str, Any]) -> None:
    entry = Books(service).usage(request_id)
    assert entry["prompt_tokens"] == usage["prompt_tokens"]
    assert entry["completion_tokens"] == usage["completion_tokens"]


def test_the_embedded_engine_answers_thinks_and_streams(api: Api, service: Server) -> None:
    asked = {"model": "lost", "messages": [{"role": "user", "content": "用一句话介绍北京。"}]}
    reply = api.chat(**asked)
    body = answered(reply)
    assert body["choices"][0]["message"]["content"]
    assert body["choices"][0]["message"]["reasoning_content"]
    assert reply.headers["x-served-by"].startswith("embedded/")
    charged(service, body["id"], body["usage"])
    stream = api.at(STRICT).stream(**asked, stream_options={"include_usage": True})
    assert stream.done
    assert stream.usage is not None
    charged(service, stream.headers["x-request-id"], stream.usage)


def test_the_embedded_engine_is_held_to_calls_and_schemas(api: Api) -> None:
    function = {"name": "look_up", "description": "查城市", "parameters": SCHEMA}
    messages = [{"role": "user", "content": "查一下上海"}]
    reply = api.chat(
        model="lost",
        messages=messages,
        tools=[{"type": "function", "function": function}],
        tool_choice="required",
    )
    (call,) = answered(reply)["choices"][0]["message"]["tool_calls"]
    assert set(json.loads(call["function"]["arguments"])) == {"city"}
    form = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA}}
    reply = api.chat(model="lost", messages=messages, response_format=form)
    assert set(json.loads(answered(reply)["choices"][0]["message"]["content"])) == {"city"}
    assert reply.headers["x-served-by"].startswith("embedded/")


def test_the_gateway_dies_after_a_request_went_on(api: Api, service: Server) -> None:
    """What the first had begun is owed by nobody; what the other was reading is a prompt."""
    again = [Script(["好"] * 200, rate=10)]
    script = Script(fault="truncate", delay=0.3, again=again)
    books = Books(service)
    before = books.shown()["balance"]

    def ask() -> None:
        with suppress(EOFError, OSError):
            api.stream(model="led", messages=script.messages)

    asking = threading.Thread(target=ask)
    asking.start()
    end = time.monotonic() + 30
    while not started(service.data):
        assert time.monotonic() < end, "the stream was not noted"
        time.sleep(0.05)
    time.sleep(1.5)
    service.kill()
    asking.join()
    service.start()
    books.settled()
    spent = before - books.shown()["balance"]
    (entry,) = (each for each in books.entries(5) if each["model"] == "led")
    assert spent == -entry["amount"]
    assert 0 < entry["completion_tokens"] < 60
