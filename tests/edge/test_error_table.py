"""Each row of the error table is reached over HTTP, in both dialects, and in a stream if it can."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.conftest import QUICK
from tests.edge.conftest import head
from tests.kit.api import DOCUMENTED, HELLO, STRICT, Api
from tests.kit.books import Books
from tests.kit.expect import refused
from tests.kit.models import ALL_SCRIPTED, CHAT, DOWN, DULL, TIGHT, models_toml
from tests.kit.raw import Connection, Reply
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.sse import Stream, stream_of
from tests.kit.upstream import Upstream
from xinghe.api.errors import Errors

BANNED = "紫色飞艇计划"
MODEL = """
[models."{name}"]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
deployment = "{deployment}"
{more}
"""
MODELS = """
[deployments.narrow]
engine = "upstream"
url = "{url}"
model = "narrow"
slots = 1
queue = 0
"""
LIMITED = [
    ("one-a-minute", "scripted", "rpm = 1"),
    ("few-tokens", "scripted", "tpm = 1200"),
    ("narrow", "narrow", ""),
    ("yielding", "narrow", "preemptible = true"),
]


@dataclass
class Desk:
    """What a case asks with: the service, a client at one mount, whether it wants a stream."""

    server: Server
    api: Api
    stream: bool

    def chat(self, **fields: Any) -> Reply:
        return self.api.chat(**{"model": CHAT, "stream": self.stream} | fields)


@pytest.fixture(scope="module")
def service(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED) + MODELS.format(url=upstream.url)
    for name, deployment, more in LIMITED:
        models += MODEL.format(name=name, deployment=deployment, more=more)
    models = models.replace("qps = 0", "qps = 20", 1)
    data = tmp_path_factory.mktemp("table")
    (data / "safety").mkdir()
    (data / "safety" / "own.txt").write_text(f"{BANNED}\t2\n", "utf-8")
    with Server(data, models=models, settings=QUICK) as running:
        yield running
        Books(running).settled()


@pytest.fixture(scope="module")
def everyone(service: Server) -> Api:
    """A client of the account `default`."""
    return Api(service.url, service.token())


@pytest.fixture(scope="module")
def tokens(service: Server) -> dict[str, str]:
    service.run("member", "create", "poor", "--tokens", "1")
    return {
        "poor": service.token(account="poor"),
        "narrow": service.token("--model", "deepseek-v3"),
        "reader": service.token("--scope", "account.read"),
    }


@pytest.fixture(params=[DOCUMENTED, STRICT], ids=["documented", "openai"])
def mount(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def sent(desk: Desk, **headers: str) -> Reply:
    body = json.dumps({"model": CHAT, "messages": HELLO, "stream": desk.stream}).encode()
    return desk.api.send("POST", "/chat/completions", body, {**desk.api.headers, **headers})


def unsafe_tool() -> list[dict[str, Any]]:
    function = {"name": "look_up", "description": f"查询{BANNED}", "parameters": {}}
    return [{"type": "function", "function": function}]


def a_tool() -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": "look_up", "parameters": {}}}]


def reused_key(desk: Desk) -> Reply:
    key = f"key-{desk.api.mount}-{desk.stream}"
    sent(desk, **{"Idempotency-Key": key})
    body = json.dumps({"model": CHAT, "messages": HELLO, "user": "another"}).encode()
    headers = {**desk.api.headers, "Idempotency-Key": key}
    return desk.api.send("POST", "/chat/completions", body, headers)


def half_a_body(desk: Desk) -> Reply:
    with Connection(desk.api.url) as connection:
        path = f"{desk.api.mount}/chat/completions"
        connection.send(head(desk.api, "Content-Length: 100", path=path) + b"{")
        return connection.reply()


def twice(desk: Desk, model: str, **fields: Any) -> Reply:
    desk.chat(model=model, **fields)
    return desk.chat(model=model, **fields)


def many_tokens(desk: Desk) -> Reply:
    """The first of these that is refused: what the cases before have used counts, too."""
    for _ in range(3):
        long = Script(["字"] * 900)
        reply = desk.chat(model="few-tokens", max_tokens=1000, messages=long.messages)
        if reply.status != 200:
            break
    return reply


def too_fast(desk: Desk) -> Reply:
    with Connection(desk.api.url) as connection:
        # All at once: one after the other, they might be slower than the limit.
        for _ in range(60):
            connection.request("GET", desk.api.mount + "/models", headers=desk.api.headers)
        replies = [connection.reply() for _ in range(60)]
    time.sleep(1.5)  # for whoever comes next
    return next(reply for reply in replies if reply.status != 200)


@contextmanager
def busy(desk: Desk) -> Iterator[None]:
    """The only slot of the narrow deployment is taken."""
    slow = Script(["慢"] * 2000, rate=20)
    with desk.api.streaming(model="narrow", messages=slow.messages) as (_, live):
        next(live)
        yield


def while_busy(desk: Desk, model: str) -> Reply:
    with busy(desk):
        return desk.chat(model=model, messages=Script(["好"]).messages)


def database_away(desk: Desk) -> Reply:
    connection = apsw.Connection(str(desk.server.data / "xinghe.db"))
    connection.set_busy_timeout(5000)
    try:
        connection.execute("BEGIN IMMEDIATE")
        reply = desk.chat()
    finally:
        connection.close()
    end = time.monotonic() + 60
    while desk.chat().status == 500:  # until a write has gone through again
        assert time.monotonic() < end, "the service does not come back"
        time.sleep(0.05)
    return reply


CASES: dict[Errors, Callable[[Desk, dict[str, str]], Reply]] = {
    Errors.MALFORMED_JSON: lambda desk, _: desk.chat(temperature=7),
    Errors.MODEL_EMPTY: lambda desk, _: desk.chat(model=""),
    Errors.INVALID_MESSAGES: lambda desk, _: desk.chat(messages=[]),
    Errors.CHARACTERS_TOO_LONG: lambda desk, _: desk.chat(
        model=TIGHT, messages=[{"role": "user", "content": "x" * 257}]
    ),
    Errors.TOKENS_TOO_LONG: lambda desk, _: desk.chat(
        model=TIGHT, messages=[{"role": "user", "content": "好" * 200}]
    ),
    Errors.INVALID_USER_ID: lambda desk, _: desk.chat(user=""),
    Errors.IDEMPOTENCY_KEY_REUSED: lambda desk, _: reused_key(desk),
    Errors.NO_PARAMETER_PERMISSION: lambda desk, tokens: sent(
        Desk(desk.server, desk.api.bearing(tokens["reader"]), desk.stream)
    ),
    Errors.UNSUPPORTED_PARAMETER: lambda desk, _: desk.chat(model=DULL, tools=a_tool()),
    Errors.MODEL_NOT_PERMITTED: lambda desk, tokens: sent(
        Desk(desk.server, desk.api.bearing(tokens["narrow"]), desk.stream)
    ),
    Errors.INVALID_APPID: lambda desk, _: sent(desk, appid="app-0000000000"),
    Errors.INVALID_TOKEN: lambda desk, _: sent(desk, Authorization="Bearer wrong"),
    Errors.SYSTEM_UNSAFE: lambda desk, _: desk.chat(
        messages=[{"role": "system", "content": BANNED}, *HELLO]
    ),
    Errors.USER_UNSAFE: lambda desk, _: desk.chat(user=BANNED),
    Errors.FUNCTIONS_UNSAFE: lambda desk, _: desk.chat(model="deepseek-v3", tools=unsafe_tool()),
    Errors.TOKEN_QUOTA_EXCEEDED: lambda desk, tokens: sent(
        Desk(desk.server, desk.api.bearing(tokens["poor"]), desk.stream)
    ),
    Errors.NO_SUCH_MODEL: lambda desk, _: desk.chat(model="none"),
    Errors.NO_SUCH_PATH: lambda desk, _: desk.api.post("/chat", {"stream": desk.stream}),
    Errors.METHOD_NOT_SUPPORTED: lambda desk, _: desk.api.get("/chat/completions"),
    Errors.REQUEST_TIMEOUT: lambda desk, _: half_a_body(desk),
    Errors.REQUEST_TOO_LARGE: lambda desk, _: desk.chat(padding="x" * 1_100_000),
    Errors.RPM_RATE_LIMIT: lambda desk, _: twice(desk, "one-a-minute"),
    Errors.TPM_RATE_LIMIT: lambda desk, _: many_tokens(desk),
    Errors.PREEMPTIBLE_RATE_LIMIT: lambda desk, _: while_busy(desk, "yielding"),
    Errors.USER_RATE_LIMIT: lambda desk, _: too_fast(desk),
    Errors.CLUSTER_RATE_LIMIT: lambda desk, _: while_busy(desk, "narrow"),
    Errors.INTERNAL_ERROR: lambda desk, _: database_away(desk),
    Errors.DISPATCH_ERROR: lambda desk, _: desk.chat(
        messages=Script(fault="status", status=400).messages
    ),
    Errors.SERVICE_UNAVAILABLE: lambda desk, _: desk.chat(model=DOWN),
}


MIDWAY = {Errors.INTERNAL_ERROR, Errors.DISPATCH_ERROR, Errors.SERVICE_UNAVAILABLE}
"""What a stream can meet once it has begun: all else is refused before."""


ELSEWHERE = {
    Errors.CONFLICT,
    Errors.NOT_PERMITTED,
    Errors.NO_SUCH_OBJECT,
    Errors.CHANGED_MEANWHILE,
    Errors.INVALID_SIGNATURE,
}
"""What only the operators' API says, or `/payments`: see tests/admin and tests/sales/payment."""


@pytest.mark.parametrize(
    "error",
    [each for each in Errors if each not in ELSEWHERE],
    ids=lambda error: error.name.lower(),
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_row(
    service: Server,
    everyone: Api,
    tokens: dict[str, str],
    error: Errors,
    mount: str,
    stream: bool,
) -> None:
    assert error in CASES, "no case reaches this row"
    reply = CASES[error](Desk(service, everyone.at(mount), stream), tokens)
    waits = error.value.status in {429, 503}
    if error is Errors.SERVICE_UNAVAILABLE and mount == DOCUMENTED:
        error = Errors.DISPATCH_ERROR  # the document has no row for it
    if error is Errors.UNSUPPORTED_PARAMETER and mount == DOCUMENTED:
        error = Errors.NO_PARAMETER_PERMISSION  # nor for this one
    if error is Errors.INVALID_USER_ID and mount == STRICT:
        assert reply.status == 200  # an empty one is none
        return
    if error in MIDWAY and stream and reply.status == 200:
        # It took so long to fail that a comment had gone out: the stream had begun.
        ends_with(stream_of(reply), error)
        return
    refused(reply, error.value.status, error.value.type, error.value.code)
    assert ("retry-after" in reply.headers) == waits


def test_an_engine_that_fails_inside_a_stream(everyone: Api, mount: str) -> None:
    script = Script(["字"] * 20, rate=10, fault="truncate", after=5)
    stream = everyone.at(mount).stream(model=CHAT, messages=script.messages)
    assert stream.content
    ends_with(stream, Errors.DISPATCH_ERROR)


def test_our_own_end_inside_a_stream(upstream: Upstream, tmp_path: Path) -> None:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    settings = QUICK | {"XINGHE_SERVER__GRACE": "0.5"}
    with Server(tmp_path, models=models, settings=settings) as server:
        api = Api(server.url, server.token())
        asked = {"model": CHAT, "messages": Script(["慢"] * 400, rate=10).messages}
        with (
            api.at(DOCUMENTED).streaming(**asked) as documented,
            api.at(STRICT).streaming(**asked) as strict,
        ):
            for stream, live in (documented, strict):
                stream.take(next(live))
            stopping = threading.Thread(target=server.stop)
            stopping.start()
            for stream, live in (documented, strict):
                for event in live:
                    stream.take(event)
                ends_with(stream, Errors.INTERNAL_ERROR)
            stopping.join()
        server.start()
        Books(server).settled()


def ends_with(stream: Stream, error: Errors) -> None:
    assert not stream.done
    (event,) = stream.errors
    assert event["id"] == stream.headers["x-request-id"]
    assert (event["error"]["type"], event["error"]["code"]) == (error.value.type, error.value.code)
