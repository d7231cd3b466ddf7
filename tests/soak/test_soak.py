"""Mixed traffic while parts of the service are killed, then in peace: `make soak`.

In the first third of `XINGHE_SOAK_MINUTES` parts die again and again. Afterwards nothing may fail
any more, and neither memory nor open files may go on growing.
"""

from __future__ import annotations

import os
import random
import statistics
import threading
import time
from collections.abc import Callable

import psutil
import pytest

from tests.conftest import MakeServer
from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.server import Server
from tests.soak.habits import HABITS, Seen, live
from tests.supervisor.kit import root, status, until

SECONDS = 60 * float(os.environ.get("XINGHE_SOAK_MINUTES", "0.5"))
LONG = 300
"""From here on sizes tell something: before, parts are still loading."""
CLIENTS = 5
MEGABYTE = 1024 * 1024


def crowd(server: Server, token: str, seconds: float, meanwhile: Callable[[], None]) -> Seen:
    """Clients at work for so long; `meanwhile` is called every second."""
    seen: Seen = {}
    failed: list[BaseException] = []
    end = time.monotonic() + seconds

    def client(seed: int) -> None:
        try:
            live(Api(server.url, token), seed, end, seen)
        except BaseException as error:
            failed.append(error)
            raise

    clients = [threading.Thread(target=client, args=[seed]) for seed in range(CLIENTS)]
    for one in clients:
        one.start()
    while any(one.is_alive() for one in clients):
        time.sleep(1)
        meanwhile()
    assert not failed
    return seen


def parts(server: Server) -> list[psutil.Process]:
    """All processes under the supervisor, the gateway and the engine among them."""
    return root(server).children(recursive=True)


def kill_one(server: Server, chance: random.Random) -> None:
    if alive := parts(server):
        chance.choice(alive).kill()


class Sizes:
    """Memory and open files of the whole service, second by second."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.memory: list[float] = []
        self.files: list[float] = []

    def take(self) -> None:
        family = [root(self._server), *parts(self._server)]
        self.memory.append(sum(one.memory_info().rss for one in family) / MEGABYTE)
        self.files.append(sum(one.num_fds() for one in family))

    def report(self) -> str:
        return f"memory {_ends(self.memory)} MB, open files {_ends(self.files)}"


def _halves(samples: list[float]) -> tuple[float, float]:
    """The medians of the third quarter and of the last."""
    quarter = max(1, len(samples) // 4)
    return statistics.median(samples[-2 * quarter : -quarter]), statistics.median(
        samples[-quarter:]
    )


def _ends(samples: list[float]) -> str:
    before, after = _halves(samples)
    return f"{before:.0f} → {after:.0f}"


@pytest.mark.slow
@pytest.mark.embedded
@pytest.mark.timeout(SECONDS + 300)
def test_a_long_day(make_server: MakeServer, small_weights: str) -> None:
    server = make_server(embedded=small_weights)
    token, books = server.token(), Books(server)
    server.run("member", "grant", "default", "100000000")
    chance = random.Random(0)

    def harm() -> None:
        if chance.random() < 0.2:
            kill_one(server, chance)

    harmed = crowd(server, token, SECONDS / 3, harm)
    until("ready again", lambda: status(server, "/readyz") == 200, timeout=60)
    sizes = Sizes(server)
    peaceful = crowd(server, token, SECONDS * 2 / 3, sizes.take)
    print(f"\nwith harm (done, broken): {harmed}\nin peace: {peaceful}\n{sizes.report()}")
    assert set(peaceful) == {habit.__name__ for habit in HABITS}
    assert all(broken == 0 for _, broken in peaceful.values()), peaceful
    if SECONDS >= LONG:
        before, after = _halves(sizes.memory)
        assert after < before * 1.05 + 20
        before, after = _halves(sizes.files)
        assert after < before + 20
    books.settled()
    assert server.stop() == 0
    assert "Traceback" not in server.log.read_text("utf-8")
