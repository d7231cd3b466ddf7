"""An open live view through 90,000 requests, 10,000 a minute: its page does not grow."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import CDPSession, Page
from tests.kit.api import Api
from tests.kit.chromium import Person, chromium
from tests.kit.raw import Connection
from tests.kit.visitor import Visitor

from xinghe.console.live.page import PATH

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

EVENTS = 10_000
RATE = EVENTS / 60
"""Requests a second; a machine that is busy makes them in more time."""
ROUNDS, FULL = 9, 6
"""Of so many events. After so many minutes the window of five is full of bars, and all lists."""
LEAST_LOOKS = 15
"""How often the page is renewed in a round at the least; in a minute it is 30 times."""
CLIENTS = 4
MODELS = ("ernie-3.5-8k", "deepseek-v3", "no-such-model")
HEAP = 128 * 1024
"""Bytes that the page may have more at the end: less than 5 for each event since it was full."""
NODES = 1.02
"""As many times the nodes: figures come and go."""


class Load:
    """Requests at a rate, by some clients at once; `done` counts them."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.done = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        for each in threads:
            each.start()
        try:
            yield
        finally:
            self._stop.set()
            for each in threads:
                each.join()

    def _ask(self) -> None:
        pause = CLIENTS / RATE
        due = time.monotonic()
        path = f"{self._api.mount}/chat/completions"
        with Connection(self._api.url) as connection:
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                due += pause
                # Refused before a model is asked: it is events that are many here.
                body = {"model": MODELS[self.done % len(MODELS)], "messages": []}
                connection.request("POST", path, json.dumps(body).encode(), self._api.headers)
                connection.reply()
                with self._lock:
                    self.done += 1


def measured(page: Page, session: CDPSession) -> tuple[int, int, int]:
    """Bytes of its heap once all garbage is gone, nodes of its document, listeners."""
    for _ in range(2):
        session.send("HeapProfiler.collectGarbage")
    found = session.send("Memory.getDOMCounters")
    metrics = session.send("Performance.getMetrics")["metrics"]
    heap = next(int(each["value"]) for each in metrics if each["name"] == "JSHeapUsedSize")
    return heap, int(found["nodes"]), int(found["jsEventListeners"])


def test_ten_thousand_events_a_minute_do_not_grow_the_page(operator: Visitor, api: Api) -> None:
    load = Load(api)
    with chromium() as browser, load.running():
        person = Person(browser, operator.url)
        person.bring(operator.cookies)
        page = person.go(PATH)
        session = person.context.new_cdp_session(page)
        session.send("Performance.enable")
        looks = 0

        def seen(response: object) -> None:
            nonlocal looks
            looks += 1

        page.on("response", seen)
        found = []
        for number in range(1, ROUNDS + 1):
            began, before, since = time.monotonic(), load.done, looks
            while load.done < before + EVENTS:
                page.wait_for_timeout(200)
            found.append(measured(page, session))
            rate = (load.done - before) / (time.monotonic() - began) * 60
            heap, nodes, listeners = found[-1]
            print(
                f"{EVENTS * number:,} events, {rate:,.0f} a minute, {looks - since} looks: "
                f"heap {heap / 2**20:.2f} MiB, {nodes} nodes, {listeners} listeners"
            )
            assert looks - since >= LEAST_LOOKS, "the page was renewed all the time"
        assert page.locator("h2#recent + div tbody tr").count() == 50
        assert person.faults == []
    first, last = found[FULL - 1], found[-1]
    assert last[0] < first[0] + HEAP
    assert last[1] < first[1] * NODES
    assert last[2] <= first[2] * NODES
