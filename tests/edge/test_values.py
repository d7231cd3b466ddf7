"""How much one body may hold: values are counted as they arrive, a long text is one of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tests.conftest import QUICK, MakeServer
from tests.edge.conftest import answers_at_once, body, head
from tests.kit.api import DOCUMENTED, Api
from tests.kit.expect import answered, malformed, refused
from tests.kit.models import ABLE, ALL_SCRIPTED, CHAT, models_toml
from tests.kit.raw import Connection
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from tests.supervisor.kit import GATEWAY, child

TOO_LARGE = (413, "invalid_request_error", "request_too_large")
MOST = 100_000
ROOMY = """
[models.roomy]
kind = "chat"
context = 1000000
max_input = 900000
output_max = 2048
output_default = 1024
deployment = "roomy"

[deployments.roomy]
engine = "upstream"
url = "{url}"
model = "roomy"
context = 1000000
"""
PATHS = ("/chat/completions", "/embeddings", "/rerank", "/images/generations")


@pytest.fixture(scope="module")
def open_server(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It takes bodies of the default size, 64 MiB, and has a model for long texts."""
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED) + ROOMY.format(url=upstream.url)
    settings = QUICK | {
        "XINGHE_SERVER__MAX_BODY_BYTES": str(64 * 1024 * 1024),
        "XINGHE_SERVER__BODY_TIMEOUT": "60",
    }
    with Server(tmp_path_factory.mktemp("open"), models=models, settings=settings) as running:
        yield running


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("unit", [b"1,", b"{},", b"[],", b'"a":1,'])
def test_too_many_values(api: Api, path: str, unit: bytes) -> None:
    within = b"{" if b":" in unit else b"["
    data = b'{"model": "x", "metadata": %s' % within + unit * (MOST + 1)
    with Connection(api.url, timeout=20) as connection:
        # It is refused before the rest of the body comes.
        connection.send(head(api, "Content-Length: 1000000", path=DOCUMENTED + path) + data)
        refused(connection.reply(), *TOO_LARGE, "values", f"up to {MOST}")


def test_as_many_values_as_may_be(api: Api) -> None:
    values = b",".join([b"1"] * (MOST - body().count(b",") - body().count(b":") - 10))
    data = body()[:-1] + b', "x": [' + values + b"]}"
    answered(api.send("POST", "/chat/completions", data))


def test_the_operator_sets_the_number(make_server: MakeServer) -> None:
    server = make_server(settings={"XINGHE_SERVER__MAX_BODY_VALUES": "20"})
    api = Api(server.url, server.token())
    answered(api.chat(model=CHAT, messages=Script().messages))
    refused(api.chat(model=CHAT, x=[1] * 20), *TOO_LARGE, "up to 20")


def test_a_table_in_one_message(open_server: Server) -> None:
    api = Api(open_server.url, open_server.token())
    table = "w,,,\n" * 98_000
    program = '\tif (a[i] == {"b": "\\n"}) { f(a, b, c); }\n' * 11_000
    for text in (table, program):
        answered(api.chat(model="roomy", messages=[{"role": "user", "content": text}]))


@pytest.mark.parametrize("size", [300_000, 1_000_000])
@pytest.mark.parametrize("kept", ["", ', "seed": 5000'])
def test_a_large_body_is_read_like_a_small_one(api: Api, size: int, kept: str) -> None:
    start = f'{{"model": "{CHAT}", "x": "' + "\\n字\\ud83d\\ude00\\\\" * (size // 22)
    end = '"' + kept + ', "messages": [{"role": "user", "content": "你好"}]}'
    answered(api.send("POST", "/chat/completions", (start + end).encode()))
    malformed(api.send("POST", "/chat/completions", (start + end[1:]).encode()), "Invalid JSON")
    malformed(api.send("POST", "/chat/completions", (start + '\\ud800"}').encode()), "Invalid JSON")


def _rows(row: bytes, size: int) -> bytes:
    return b",".join([row] * (size // (len(row) + 1)))


@pytest.mark.parametrize("path", PATHS[1:])
def test_a_text_that_nothing_takes_is_refused_before_its_model(
    open_server: Server, path: str
) -> None:
    api = Api(open_server.url, open_server.token())
    data = b'{"model": "no-such-model", "x": "%s"}' % (b"a" * (17 * 1024 * 1024))
    refused(api.send("POST", path, data), *TOO_LARGE, "a string of more than")


@pytest.mark.slow
def test_sixty_megabytes_stand_in_nobodys_way(open_server: Server) -> None:
    api = Api(open_server.url, open_server.token())
    size = 60_000_000
    text = '{"model": "%s", "messages": [{"role": "user", "content": "%s"}]}'
    bodies = {
        "one text": ((text % (CHAT, "字" * (size // 3))).encode(), 400, "characters_too_long"),
        "escapes": ((text % (CHAT, "\\na" * (size // 3))).encode(), 400, "characters_too_long"),
        "small keys": (b"{" + _rows(b'"a":1', size) + b"}", 413, "request_too_large"),
        "messages": (b'{"messages":[' + _rows(b'{"role":"user"}', size), 413, "request_too_large"),
        "strings": (b'{"x":[' + _rows(b'"%s"' % (b"a" * 700), size) + b"]}", 400, "invalid_model"),
        "blanks": (b'{"x":' + b" " * size + b"1}", 413, "request_too_large"),
    }
    answers_at_once(api)
    gateway = child(open_server, GATEWAY)
    before = gateway.memory_info().rss
    for name, (data, status, code) in bodies.items():
        replies = list[tuple[int, str]]()

        def post(data: bytes = data, into: list[tuple[int, str]] = replies) -> None:
            reply = api.send("POST", "/chat/completions", data)
            into.append((reply.status, reply.json["error"]["code"]))

        posting = [threading.Thread(target=post) for _ in range(3)]
        for thread in posting:
            thread.start()
        worst = 0.0
        while any(thread.is_alive() for thread in posting):
            began = time.monotonic()
            with Connection(open_server.url, timeout=20) as connection:
                connection.request("GET", "/healthz")
                assert connection.reply().status == 200
            worst = max(worst, time.monotonic() - began)
            time.sleep(0.02)
        assert replies == [(status, code)] * 3, name
        # This very process is busy with sending, and holds its own lock meanwhile.
        assert worst < 2, f"{name}: {worst:.2f} s"
        print(name, worst)
        print(gateway.memory_info().rss / 1e6)
    end = time.monotonic() + 30
    while gateway.memory_info().rss > before * 1.1 + 100_000_000:
        assert time.monotonic() < end, "the bodies are still in memory"
        time.sleep(0.1)


@pytest.mark.parametrize("depth", [2, 100, 900, 950])
def test_nested_input(api: Api, depth: int) -> None:
    data = b'{"model": "embedding-v1", "input": ' + b"[" * depth + b"1" + b"]" * depth + b"}"
    malformed(api.send("POST", "/embeddings", data), "input")


def test_functions_are_too_long_before_they_are_looked_at(api: Api) -> None:
    tool = {"type": "function", "function": {"name": "a", "description": "b" * 70_000}}
    reply = api.chat(model=ABLE, tools=[tool])
    refused(reply, 400, "invalid_request_error", "characters_too_long", 65536)
