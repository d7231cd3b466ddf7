"""The second client's samples, as this process collects them and reckons with them."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from tests.attack.measure import Sample
from tests.kit.command import environment
from tests.kit.server import Server


@dataclass(frozen=True)
class Figures:
    """Of one span of time; seconds, and counts of requests that were not answered with 200."""

    lag: float
    health_p99: float
    health_worst: float
    health_failed: int
    chat_median: float
    chat_worst: float
    formed_worst: float
    others_failed: int
    machine: float
    """How late the machine woke a mere sleeper."""


class Watch:
    """Gathers samples until its process ends."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._samples: list[Sample] = []
        self._process = process
        threading.Thread(target=self._gather, daemon=True).start()

    def figures(self, since: float, until: float) -> Figures:
        """Between two readings of `time.monotonic`."""
        span = [one for one in self._samples if since <= one.at <= until]

        def took(kind: str) -> list[float]:
            return sorted(one.took for one in span if one.kind == kind) or [math.nan]

        def failed(*kinds: str) -> int:
            return sum(one.kind in kinds and one.outcome != "200" for one in span)

        health, chat = took("health"), took("chat")
        return Figures(
            lag=took("lag")[-1],
            health_p99=health[math.ceil(0.99 * len(health)) - 1],
            health_worst=health[-1],
            health_failed=failed("health"),
            chat_median=chat[len(chat) // 2],
            chat_worst=chat[-1],
            formed_worst=took("formed")[-1],
            others_failed=failed("chat", "formed"),
            machine=took("machine")[-1],
        )

    def _gather(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._samples.append(msgspec.json.decode(line, type=Sample))


@contextmanager
def watching(server: Server, token: str) -> Iterator[Watch]:
    """The second client at work."""
    command = [sys.executable, "-m", "tests.attack.measure", server.url, server.metrics_url, token]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as process:
        try:
            yield Watch(process)
        finally:
            process.kill()


@contextmanager
def hostile_upstream() -> Iterator[str]:
    """Its base URL, without `/v1`."""
    command = [sys.executable, "-m", "tests.attack.upstream"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().decode().strip()
        finally:
            process.kill()
