"""A running service is changed: no stream is dropped, and a kill loses nothing of the change."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest

from tests.conftest import QUICK, MakeServer
from tests.kit.api import Api
from tests.kit.books import MICRO, Books
from tests.kit.expect import answered, refused
from tests.kit.models import ALL_SCRIPTED, CHAT, DULL, LONG_STORY, models_toml
from tests.kit.pace import allowed
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.sse import Stream
from tests.kit.upstream import Upstream
from tests.supervisor.kit import ENGINE, GATEWAY, child, root, until

MODEL = "ernie-speed-8k"


@pytest.fixture(scope="module")
def service(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """On scripted models alone."""
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    with Server(tmp_path_factory.mktemp("data"), models=models, settings=QUICK) as running:
        yield running


@pytest.fixture(scope="module")
def api(service: Server) -> Api:
    return Api(service.url, service.token())


@pytest.fixture(scope="module")
def desk(service: Server) -> Api:
    return operations(service)


def operations(server: Server) -> Api:
    """The operators' API."""
    return Api(server.url, server.token("--scope", "admin"), "/admin/v1")


def change(api: Api, **sections: Any) -> None:
    """Apply a merge patch of the configuration."""
    reply = api.send("PATCH", "/config", json.dumps({"patch": sections}).encode())
    assert reply.status == 200, reply.text
    assert reply.json.get("trouble") is None, reply.text


def read(api: Api, model: str, messages: list[dict[str, str]], begun: threading.Event) -> Stream:
    with api.streaming(model=model, messages=messages, max_tokens=200) as (stream, live):
        for event in live:
            stream.take(event)
            if len(stream.chunks) > 2:
                begun.set()
    return stream


def test_an_edited_file_holds_for_the_next_request(service: Server, api: Api) -> None:
    begun = [threading.Event() for _ in range(10)]
    script = Script(pieces=["字"] * 45, rate=15)
    with ThreadPoolExecutor(10) as pool:
        reading = [pool.submit(read, api, CHAT, script.messages, each) for each in begun]
        assert all(each.wait(30) for each in begun)
        file = service.data / "models.toml"
        text = file.read_text("utf-8")
        file.write_text(text.replace("output_ratio = 2.0", "output_ratio = 7.0"), "utf-8")
        saved = time.monotonic()
        until("applied", lambda: ratio(api) == 7.0, 30)
        assert time.monotonic() - saved < allowed(2)
        after = answered(api.chat(model=CHAT, messages=Script().messages))
        streams = [each.result() for each in reading]
    books = Books(service)
    for stream in streams:
        assert stream.done
        assert stream.content == script.text
        assert cost(books, stream.headers["x-request-id"]) == (1, 2)
    assert cost(books, after["id"]) == (1, 7)
    books.settled()


def ratio(api: Api) -> float:
    told: float = api.get(f"/models/{CHAT}").json["xinghe"]["output_ratio"]
    return told


def cost(books: Books, request: str) -> tuple[float, float]:
    """The price that a request was charged at, if it is one of those that are asked for."""
    entry = books.usage(request)
    tokens = entry["prompt_tokens"], entry["completion_tokens"]
    for price in ((1, 2), (1, 7)):
        if -entry["amount"] == MICRO * (price[0] * tokens[0] + price[1] * tokens[1]):
            return price
    raise AssertionError(entry)


def kill(server: Server) -> None:
    gateway = child(server, GATEWAY)
    gateway.kill()
    gateway.wait(5)


def test_a_gateway_that_is_killed_comes_back_with_what_was_applied(
    service: Server, api: Api, desk: Api
) -> None:
    change(desk, models={CHAT: {"output_ratio": 3.0}})
    kill(service)
    assert ratio(api) == 3.0
    Books(service).settled()


@pytest.mark.slow
def test_a_change_is_whole_or_not_at_all_however_soon_the_gateway_is_killed(
    service: Server, api: Api, desk: Api
) -> None:
    change(desk, models={CHAT: {"output_ratio": 5.0}})
    with ThreadPoolExecutor(1) as pool:
        for price in (6.0, 7.0, 8.0, 9.0):
            applied = pool.submit(change, desk, models={CHAT: {"output_ratio": price}})
            time.sleep(0.02 * (price - 5))
            kill(service)
            # Who was told that it is applied can rely on it.
            known = {price} if applied.exception() is None else {price - 1, price}
            assert ratio(api) in known
            change(desk, models={CHAT: {"output_ratio": price}})
            assert ratio(api) == price
    Books(service).settled()


@pytest.mark.slow
@pytest.mark.embedded
def test_an_embedded_engine_starts_and_stops_with_its_deployment(
    make_server: MakeServer, small_weights: str
) -> None:
    server = make_server()
    api, desk = Api(server.url, server.token()), operations(server)
    assert engines(server) == []
    spec = {"engine": "llamacpp", "weights": small_weights, "slots": 1, "context": 2048}
    change(desk, deployments={"tiny": spec}, models={MODEL: {"deployment": "tiny"}})
    # It is being started: the request waits for it.
    answered(api.chat(model=MODEL, max_tokens=2))
    (first,) = engines(server)
    # A gateway that is killed finds it running.
    kill(server)
    answered(api.chat(model=MODEL, max_tokens=2))
    assert engines(server) == [first]
    # Another spec is another engine: the old one ends with its last stream.
    begun = threading.Event()
    story = [{"role": "user", "content": LONG_STORY.format(number=1)}]
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read, api, MODEL, story, begun)
        assert begun.wait(60)
        change(desk, deployments={"tiny": {"slots": 2}})
        until("both", lambda: len(engines(server)) == 2)
        assert first in engines(server)
        stream = reading.result()
    assert stream.done
    until("the old one has ended", lambda: first not in engines(server))
    answered(api.chat(model=MODEL, max_tokens=2))
    until("measured", lambda: api.at("").get("/readyz").json["engines"]["tiny"]["reads"] > 0)
    # A weights file that is missing changes nothing.
    missing = {"deployments": {"tiny": {"weights": "/no/such.gguf"}}}
    reply = desk.send("PATCH", "/config", json.dumps({"patch": missing}).encode())
    assert "/no/such.gguf" in reply.text
    answered(api.chat(model=MODEL, max_tokens=2))
    change(desk, deployments={"tiny": None}, models={MODEL: None, "gone": None})
    until("none", lambda: engines(server) == [])
    told = api.at("").get("/readyz").json
    assert "engines" not in told
    assert "deployment tiny" not in told["checks"]
    with urllib.request.urlopen(server.metrics_url) as metrics:
        assert b'deployment="tiny"' not in metrics.read()
    Books(server).settled()


def engines(server: Server) -> list[int]:
    """The process ids of those that run."""
    running = [each for each in root(server).children() if each.status() != psutil.STATUS_ZOMBIE]
    return [each.pid for each in running if ENGINE in each.cmdline()]


def test_a_model_that_is_removed_is_unknown(api: Api, desk: Api) -> None:
    script = Script(pieces=["字"] * 15, rate=15)
    begun = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read, api, DULL, script.messages, begun)
        assert begun.wait(30)
        change(desk, models={DULL: None})
        refused(api.chat(model=DULL), 404, "invalid_request_error", "no_such_model")
        assert reading.result().content == script.text
