"""Has the gateways take turns at each work, and keeps what was seen."""

from __future__ import annotations

import statistics
from collections import defaultdict
from pathlib import Path

from bench.peers.load import ADDED, WORKS, Failed, Gateway, Work, asked, count_of

DIRECT = "direct"
"""The upstream itself, from whose latency the gateways' is counted."""
P50, P99, RSS = "p50", "p99", "rss"
Seen = dict[tuple[str, str], float]
"""Of a peer's name and a work's title: CPU µs a request; or of its name and one of the three above:
ms that it adds, and MB."""


class Rounds:
    """What each cannot do is asked of it no more."""

    def __init__(self, load: Path, upstream: int) -> None:
        self.failed: dict[tuple[str, str], str] = {}
        self._load = load
        self._gateways = {DIRECT: Gateway(0, upstream)}
        self._counts: dict[tuple[str, str], int] = {}
        self._seen: defaultdict[tuple[str, str], list[float]] = defaultdict(list)

    def add(self, name: str, gateway: Gateway) -> None:
        self._gateways[name] = gateway

    def warm_up(self) -> None:
        """Once before all rounds; also finds out how many requests each can take in one."""
        for work in (*WORKS, ADDED):
            for name, gateway in self._gateways.items():
                try:
                    self._counts[name, work.title] = count_of(self._load, gateway, work)
                except Failed as failed:
                    self.failed[name, work.title] = str(failed)

    def measure(self) -> None:
        """One round: for each work, each gateway has its turn."""
        for work in (*WORKS, ADDED):
            for name, gateway in self._gateways.items():
                if (name, work.title) not in self.failed:
                    try:
                        self._measure(name, gateway, work)
                    except Failed as failed:
                        self.failed[name, work.title] = str(failed)

    def medians(self) -> Seen:
        """Of all rounds so far; what failed in one of them is not there."""
        seen = {key: statistics.median(values) for key, values in self._seen.items()}
        for name in self._gateways:
            for figure in (P50, P99):
                if (name, ADDED.title) in self.failed:
                    seen.pop((name, figure), None)
                elif name != DIRECT:
                    seen[name, figure] = max(0.0, seen[name, figure] - seen[DIRECT, figure])
        return {key: value for key, value in seen.items() if key not in self.failed}

    def _measure(self, name: str, gateway: Gateway, work: Work) -> None:
        found = asked(self._load, gateway, work, self._counts[name, work.title])
        if work is ADDED:
            self._seen[name, P50].append(found["p50"])
            self._seen[name, P99].append(found["p99"])
        else:
            self._seen[name, work.title].append(found["cpu"])
        self._seen[name, RSS].append(gateway.memory / 1e6)
