"""The second client, a process of its own: what others see while the service is attacked.

`python -m tests.attack.measure <url> <metrics url> <token>` prints one JSON line a sample. A probe
that is late because the one before it had to wait counts from when it was due: a standstill of
9 seconds is 180 slow probes, as it would be for 180 clients.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from tests.attack.hosts import ABLE, PLAIN
from tests.kit.api import DOCUMENTED, Api
from tests.kit.raw import Connection

LAG = "xinghe_event_loop_lag_seconds"


class Sample(msgspec.Struct, frozen=True):
    """`at` is the clock (`time.monotonic`) when it ended; `took` in seconds."""

    kind: str
    at: float
    took: float
    outcome: str


_out = threading.Lock()


def _say(kind: str, took: float, outcome: str = "200") -> None:
    line = msgspec.json.encode(Sample(kind, time.monotonic(), took, outcome))
    with _out:
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()


def _repeat(kind: str, period: float, ask: Callable[[], str]) -> None:
    due = time.monotonic()
    while True:
        time.sleep(max(0.0, due - time.monotonic()))
        try:
            outcome = ask()
        except (ConnectionError, EOFError):
            outcome = "gone"
        except TimeoutError:
            outcome = "silent"
        _say(kind, time.monotonic() - due, outcome)
        due += period
        if outcome != "200":
            due = max(due, time.monotonic() + period)


class _Health:
    """`/healthz` over a kept connection."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._kept: Connection | None = None

    def __call__(self) -> str:
        if self._kept is None:
            self._kept = Connection(self._url, 60)
        try:
            self._kept.request("GET", "/healthz")
            return str(self._kept.reply().status)
        except (OSError, EOFError):
            kept, self._kept = self._kept, None
            kept.socket.close()
            raise


def _chat(api: Api) -> str:
    with Connection(api.url, 60) as connection:
        body = {"model": PLAIN, "messages": [{"role": "user", "content": "你好"}]}
        data = json.dumps(body).encode()
        connection.request("POST", DOCUMENTED + "/chat/completions", data, api.headers)
        return str(connection.reply().status)


def _formed(api: Api) -> str:
    """An ordinary request with a schema: another account's must not have to wait for ours."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    with Connection(api.url, 60) as connection:
        messages = [{"role": "user", "content": "hurt:chat:json"}]
        data = json.dumps({"model": ABLE, "messages": messages, "response_format": form}).encode()
        connection.request("POST", DOCUMENTED + "/chat/completions", data, api.headers)
        return str(connection.reply().status)


class _Lag:
    """The loop's lag since it was last read, from the histogram: never less than it was."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._counts: dict[float, float] = {}
        self._sum = 0.0

    def __call__(self) -> None:
        with Connection(self._url, 60) as connection:
            connection.request("GET", urlsplit(self._url).path)
            page = connection.reply().text
        (family,) = [one for one in text_string_to_metric_families(page) if one.name == LAG]
        counts = {float(s.labels["le"]): s.value for s in family.samples if "le" in s.labels}
        total = next(s.value for s in family.samples if s.name == f"{LAG}_sum")
        if total < self._sum:  # a new process
            self._counts, self._sum = {}, 0.0
        news = {edge: count - self._counts.get(edge, 0.0) for edge, count in counts.items()}
        every = max(news.values())
        edge = min(edge for edge, count in news.items() if count >= every)
        _say("lag", min(edge, total - self._sum))
        self._counts, self._sum = counts, total


def _lags(read: _Lag) -> None:
    while True:
        with suppress(OSError, EOFError):
            read()
        time.sleep(0.25)


def _noise() -> None:
    """How late the machine itself wakes a sleeper: what of the figures is not the service's."""
    while True:
        worst, end = 0.0, time.monotonic() + 1
        while (due := time.monotonic() + 0.02) < end:
            time.sleep(0.02)
            worst = max(worst, time.monotonic() - due)
        _say("machine", worst)


def main() -> None:
    url, metrics_url, token = sys.argv[1:]
    api, parent = Api(url, token), os.getppid()
    works: list[Callable[[], None]] = [
        lambda: _repeat("health", 0.05, _Health(url)),
        lambda: _repeat("chat", 0.3, lambda: _chat(api)),
        lambda: _repeat("formed", 2.0, lambda: _formed(api)),
        lambda: _lags(_Lag(metrics_url)),
        _noise,
    ]
    for work in works:
        threading.Thread(target=work, daemon=True).start()
    while os.getppid() == parent:
        time.sleep(0.5)


if __name__ == "__main__":
    main()
