"""What one account may size runs in pools of its own: others are served as quickly as alone."""

from __future__ import annotations

import itertools
import json
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest
from PIL import Image

from tests.kit.api import DOCUMENTED, Api
from tests.kit.expect import answered
from tests.kit.models import ABLE, ALL_SCRIPTED, CHAT, models_toml
from tests.kit.raw import Connection
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from tests.pictures.render import data_url, encoded
from tests.supervisor.kit import GATEWAY, child, status, until

WIDE = """
[models."scripted-wide"]
kind = "chat"
context = 131072
max_input = 129024
output_max = 2048
output_default = 1024
deployment = "scripted"
"""
SETTINGS = {
    "XINGHE_SERVER__MAX_BODY_BYTES": str(64 * 1024 * 1024),
    "XINGHE_SERVER__BODY_TIMEOUT": "60",
}
ASKED = 15
BOOK = "制造业的方法，如何种植水稻。The quick brown fox k1lls time; " * 5500


@pytest.fixture(scope="module")
def server(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED) + WIDE
    with Server(tmp_path_factory.mktemp("shares"), models=models, settings=SETTINGS) as running:
        yield running


@pytest.fixture(scope="module")
def hostile(server: Server) -> Api:
    return Api(server.url, account(server, "hostile"))


@pytest.fixture(scope="module")
def other(server: Server) -> Api:
    return Api(server.url, account(server, "other"))


def account(server: Server, name: str) -> str:
    """A token of a new account."""
    server.run("member", "create", name)
    return server.token(account=name)


class Flood:
    """Requests of one account from `clients` threads; `answers` counts statuses."""

    def __init__(self, api: Api, bodies: Iterator[bytes], *, leave: float | None = None) -> None:
        self._api, self._bodies, self._leave = api, bodies, leave
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._open: set[Connection] = set()
        self.answers: Counter[int] = Counter()

    @contextmanager
    def by(self, clients: int) -> Iterator[None]:
        threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            with self._lock:
                for connection in self._open:
                    connection.socket.shutdown(socket.SHUT_RDWR)  # they leave, too
            for thread in threads:
                thread.join(120)

    def _ask(self) -> None:
        while not self._ended.is_set():
            with self._lock:
                body = next(self._bodies)
            try:
                self._send(body)
            except (TimeoutError, OSError, EOFError):
                self.answers[0] += 1

    def _send(self, body: bytes) -> None:
        api = self._api
        with Connection(api.url, 60 if self._leave is None else self._leave) as connection:
            connection.request("POST", DOCUMENTED + "/chat/completions", body, api.headers)
            with self._lock:
                self._open.add(connection)
            try:
                reply = connection.reply()
            finally:
                with self._lock:
                    self._open.discard(connection)
        with self._lock:
            self.answers[reply.status] += 1
        if reply.status == 429:
            assert reply.json["error"]["code"] == "cluster_rate_limit_exceeded"
            self._ended.wait(int(reply.headers["retry-after"]))


def seconds(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began


def usual(api: Api) -> float:
    """The median of what an ordinary chat takes, in seconds."""
    return statistics.median(seconds(lambda: answered(api.chat(model=CHAT))) for _ in range(ASKED))


def asking(model: str, content: object) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": content}]}).encode()


def test_beside_long_texts_and_many(server: Server, hostile: Api, other: Api) -> None:
    alone = usual(other)
    short = [
        {"role": "user" if n % 2 == 0 else "assistant", "content": f"好 {n}"} for n in range(14_999)
    ]
    many = json.dumps({"model": "scripted-wide", "messages": short}).encode()
    long = asking("scripted-wide", BOOK)
    flood = Flood(hostile, itertools.chain([many, many], itertools.repeat(long)))
    gateway = child(server, GATEWAY)
    with flood.by(8):
        until("the queue is full", lambda: flood.answers[429] > 0, 60)
        beside = usual(other)
        assert status(server, "/healthz") == 200
    assert beside < alone * 3 + 0.1, (alone, beside)
    assert set(flood.answers) <= {0, 200, 429}, flood.answers
    workers = [p for p in gateway.children() if "xinghe.safety.worker" in p.cmdline()]
    assert 1 <= len(workers) <= 2
    assert sum(p.memory_info().rss for p in workers) < len(workers) * 200 * 2**20


def noise(width: int, height: int) -> bytes:
    return encoded(Image.effect_noise((width, height), 90).convert("RGB"))


@pytest.mark.slow
def test_beside_pictures_whose_senders_leave(server: Server, hostile: Api, other: Api) -> None:
    alone = usual(other)
    shown = [
        asking(ABLE, [{"type": "image_url", "image_url": {"url": data_url(noise(240 + n, 240))}}])
        for n in range(40)
    ]
    staying, leaving = (
        Flood(hostile, itertools.cycle(shown)),
        Flood(hostile, itertools.cycle(shown), leave=1.0),
    )
    with leaving.by(12), staying.by(12):
        until("the queue is full", lambda: staying.answers[429] + leaving.answers[429] > 0, 60)
        beside = usual(other)
        assert status(server, "/healthz") == 200
    assert beside < alone * 3 + 0.1, (alone, beside)
    assert leaving.answers[0]
    # Nobody's leaving has ended the reader, and it serves the next.
    answered(other.post("/chat/completions", json.loads(shown[0])))


@pytest.mark.slow
def test_the_fair_share(server: Server, hostile: Api, other: Api) -> None:
    """Another account's long text does not wait behind all of the hostile one's."""
    long = asking("scripted-wide", BOOK)
    flood = Flood(hostile, itertools.repeat(long))
    with flood.by(8):
        until("the queue is full", lambda: flood.answers[429] > 0, 60)
        before = flood.answers[200]
        answered(other.post("/chat/completions", json.loads(long)))
        assert flood.answers[200] - before <= 3
    assert psutil.pid_exists(child(server, GATEWAY).pid)
