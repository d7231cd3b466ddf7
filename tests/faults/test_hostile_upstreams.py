"""The whole catalogue of upstream faults, over every operation: what was planted stays inside."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.expect import carries_request_id
from tests.kit.hostile_upstream import BODIES, FAULTS, KEY, MARKER, OWN_TEXT, Hostile, order
from tests.kit.raw import Connection, Reply
from tests.kit.server import Server

URL_PASSWORD, URL_KEY = "password-in-url-2b7d", "key-in-url-8a4c"
SECRETS = (KEY, MARKER, OWN_TEXT, URL_PASSWORD, URL_KEY)
UNTOLD = ("Traceback", "never retrieved", "never awaited", "Unclosed", "RecursionError")
"""What asyncio, aiohttp and Python say of what nobody looked after."""

CATALOG = """
[limits]
qps = 0
rpm = 0
tpm = 0

[defaults]
rpm = 0
tpm = 0
deployment = "hostile"

[deployments.hostile]
engine = "upstream"
url = "http://{origin}/v1"
key = "{key}"
model = "m"
context = 131072
slots = 8
connect_timeout = 0.5
silence_timeout = 0.5

[deployments.secretive]
engine = "upstream"
url = "http://user:{password}@{origin}/v1?key={url_key}"
model = "m"
context = 131072
connect_timeout = 0.5
silence_timeout = 0.5

[deployments.vectors]
engine = "upstream-embedding"
url = "http://{origin}/v1"
key = "{key}"
model = "m"
reranker = "r"
slots = 8
connect_timeout = 0.5
silence_timeout = 0.5

[deployments.painter]
engine = "upstream-images"
url = "http://{origin}/v1"
key = "{key}"
model = "m"
slots = 8
queue = 1000
connect_timeout = 0.5
silence_timeout = 0.5

[models."secretive"]
kind = "chat"
context = 32768
max_input = 16384
output_max = 2048
output_default = 1024
deployment = "secretive"

[models."embedding-v1"]
deployment = "vectors"

[models."Stable-Diffusion-XL"]
deployment = "painter"
"""
CHAT = "ernie-4.0-turbo-8k"


@pytest.fixture(scope="module")
def hostile() -> Iterator[Hostile]:
    with Hostile() as running:
        yield running


@pytest.fixture(scope="module")
def server(hostile: Hostile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    models = CATALOG.format(origin=hostile.origin, key=KEY, password=URL_PASSWORD, url_key=URL_KEY)
    settings = {
        "XINGHE_LOG__LEVEL": "debug",
        "XINGHE_EMBEDDING__PRIORITY": "low",
        "XINGHE_SEARCH__DOCUMENTATION": "false",
        "XINGHE_SAFETY__UPSTREAM__URL": f"http://user:{URL_PASSWORD}@{hostile.origin}/v1",
        "XINGHE_SAFETY__UPSTREAM__TIMEOUT": "0.5",
        "XINGHE_SAFETY__UPSTREAM__ANSWERS": "false",
    }
    with Server(tmp_path_factory.mktemp("hostile"), models=models, settings=settings) as running:
        yield running


def chat(api: Api, text: str) -> Reply:
    return api.chat(model="secretive", messages=[{"role": "user", "content": text}], max_tokens=20)


def stream(api: Api, text: str) -> Reply:
    messages = [{"role": "user", "content": text}]
    return api.chat(model=CHAT, messages=messages, max_tokens=20, stream=True)


def embed(api: Api, text: str) -> Reply:
    return api.post("/embeddings", {"model": "embedding-v1", "input": [text]})


def rerank(api: Api, text: str) -> Reply:
    body = {"model": "embedding-v1", "query": text, "documents": ["one", "two"]}
    return api.post("/rerank", body)


def draw(api: Api, text: str) -> Reply:
    body = {"model": "Stable-Diffusion-XL", "prompt": text, "size": "768x768"}
    return api.post("/images/generations", {**body, "response_format": "b64_json"})


def moderated(api: Api, text: str) -> Reply:
    return api.chat(model=CHAT, messages=[{"role": "user", "content": text}], max_tokens=20)


WAYS: dict[str, tuple[str, Callable[[Api, str], Reply]]] = {
    "chat": ("chat", chat),
    "stream": ("chat", stream),
    "embeddings": ("embeddings", embed),
    "rerank": ("rerank", rerank),
    "images": ("images", draw),
    "moderations": ("moderations", moderated),
}


def all_work(api: Api) -> None:
    """Every operation is served; on a busy machine even a good answer may come too late."""
    end = time.monotonic() + 30
    for way, (_, ask) in WAYS.items():
        while (reply := ask(api, "hello")).status != 200:
            assert time.monotonic() < end, (way, reply.text)


def judge(reply: Reply, way: str) -> str | None:
    """What is wrong with an answer."""
    for secret in SECRETS:
        if secret.encode() in reply.body or secret in repr(reply.headers):
            return f"it tells {secret}"
    if way == "moderations" and reply.status != 200:
        return f"a fault of the moderation model refused it: {reply.text[:200]}"
    if reply.status == 200:
        return None
    carries_request_id(reply)
    code = reply.json["error"]["code"]
    documented = {
        429: "cluster_rate_limit_exceeded",
        500: "dispatch_internal_error",
    }
    if documented.get(reply.status) != code:
        return f"it is no documented answer: {reply.status} {code}"
    return None


def test_nothing_that_was_planted_gets_out(server: Server, hostile: Hostile) -> None:
    api, books = Api(server.url, server.token()), Books(server)
    all_work(api)

    def attempt(case: tuple[str, str]) -> str | None:
        way, fault = case
        operation, ask = WAYS[way]
        wrong = judge(ask(api, order(fault, operation)), way)
        return wrong and f"{way}, {fault}: {wrong}"

    # All ways at once: each has slots of its own, and a fault may take its time limit.
    cases = [(way, fault) for fault in [*FAULTS, *BODIES] for way in WAYS]
    with ThreadPoolExecutor(32) as pool:
        wrong = [each for each in pool.map(attempt, cases) if each]
    assert not wrong, "\n".join(wrong)

    # Every slot is free again, and the books hold no nonsense.
    all_work(api)
    books.settled()
    for entry in books.entries():
        for count in ("prompt_tokens", "completion_tokens"):
            assert 0 <= (entry.get(count) or 0) < 50_000
    assert not any("stolen" in path for path in hostile.paths), "a redirect was followed"

    with Connection(server.metrics_url) as connection:
        connection.request("GET", "/metrics")
        metrics = connection.reply().text
    assert "xinghe_" in metrics
    server.stop()
    told = server.log.read_text("utf-8", "replace") + metrics
    for secret in SECRETS:
        lines = [line[:300] for line in told.splitlines() if secret in line]
        assert not lines, "\n".join(lines[:5])
    for phrase in UNTOLD:
        assert phrase not in told, told[max(0, told.find(phrase) - 1500) :][:3000]
