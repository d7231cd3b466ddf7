"""Measures the gateways by turns, and prints their table."""

from __future__ import annotations

import asyncio
import statistics
from contextlib import ExitStack
from pathlib import Path

from tests.kit.server import free_port

from bench.peers.gateways import PEERS, running
from bench.peers.load import ADDED, WORKS, Gateway, Missing, asked, built

ROUNDS = 3


async def run(folder: Path) -> None:
    """The medians of some rounds, in each of which every gateway has its turn."""
    await asyncio.to_thread(_run, folder)


def _run(folder: Path) -> None:
    try:
        load, mock = built(folder, "load"), built(folder, "mock")
    except Missing as missing:
        print(f"peers is not measured: {missing}")
        return
    with ExitStack() as stack:
        upstream = free_port()
        stack.enter_context(running([str(mock), str(upstream)], upstream))
        direct = Gateway("none", 0, upstream, "/v1/chat/completions", "none")
        gateways: list[Gateway] = []
        for name, start in PEERS.items():
            place = folder / name
            place.mkdir()
            try:
                gateways.append(stack.enter_context(start(place, upstream)))
            except Missing as missing:
                print(f"{name} is not measured: {missing}")
        titles = [work.title for work in WORKS]
        print("\n## Gateways side by side: CPU µs a request, all processes of each\n")
        print(f"| gateway | {' | '.join(titles)} | added p50/p99 ms at 100/s | RSS MB |")
        print("|---|" + "---|" * (len(titles) + 2))
        for row in _rows(load, gateways, direct):
            print(row, flush=True)


def _rows(load: Path, gateways: list[Gateway], direct: Gateway) -> list[str]:
    cpu: dict[tuple[str, str], list[float]] = {}
    latency: dict[str, list[tuple[float, float]]] = {}
    for round_ in range(ROUNDS + 1):
        for work in WORKS:
            for gateway in gateways:
                found = asked(load, gateway, work)
                if round_:  # the first is to warm up
                    cpu.setdefault((gateway.name, work.title), []).append(found["cpu"])
        for gateway in (direct, *gateways):
            found = asked(load, gateway, ADDED)
            if round_:
                latency.setdefault(gateway.name, []).append((found["p50"], found["p99"]))
    least = [statistics.median(each) for each in zip(*latency[direct.name], strict=True)]
    rows = []
    for gateway in gateways:
        cells = [f"{statistics.median(cpu[gateway.name, work.title]):.0f}" for work in WORKS]
        each = [statistics.median(one) for one in zip(*latency[gateway.name], strict=True)]
        added = "/".join(
            f"{max(0.0, one - other):.1f}" for one, other in zip(each, least, strict=True)
        )
        row = [gateway.name, *cells, added, f"{gateway.memory / 1e6:.0f}"]
        rows.append(f"| {' | '.join(row)} |")
    return rows
