"""Starts the gateways, measures them by turns, and prints their table."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.kit.server import free_port

from bench.peers.gateways import PEERS
from bench.peers.goals import goals
from bench.peers.load import WORKS, Missing, built
from bench.peers.process import running
from bench.peers.rounds import P50, P99, RSS, Rounds, Seen

CANNOT = "—"
TITLES = [work.title for work in WORKS]


async def run(folder: Path, chosen: Sequence[str] = ()) -> None:
    """The medians of some rounds, in each of which every gateway has its turn.

    `chosen` names the peers (all unless said), and says how many rounds (3 unless said).
    """
    rounds = next((int(word) for word in chosen if word.isdecimal()), 3)
    names = [word for word in chosen if not word.isdecimal()] or list(PEERS)
    if unknown := set(names) - set(PEERS):
        raise SystemExit(f"no such peer: {', '.join(unknown)}; there are: {', '.join(PEERS)}")
    await asyncio.to_thread(_run, folder, names, rounds)


def _run(folder: Path, names: list[str], rounds: int) -> None:
    try:
        load, mock = built(folder, "load"), built(folder, "mock")
    except Missing as missing:
        print(f"peers is not measured: {missing}")
        return
    before = os.getloadavg()[0]
    with ExitStack() as stack:
        upstream = free_port()
        stack.enter_context(running([str(mock), str(upstream)], folder, upstream))
        measured, missing_ones = Rounds(load, upstream), {}
        for name in names:
            place = folder / name
            place.mkdir()
            try:
                start = PEERS[name].start
                measured.add(name, stack.enter_context(start(place, upstream)))
            except Missing as missing:
                missing_ones[name] = str(missing)
        measured.warm_up()
        for _ in range(rounds):
            measured.measure()
    _print(names, rounds, measured, missing_ones)
    print(f"\n{os.cpu_count()} cores, whose load average was {before:.1f} when it began.")


def _print(names: list[str], rounds: int, measured: Rounds, missing: dict[str, str]) -> None:
    seen = measured.medians()
    print(f"\n## Gateways side by side: CPU µs a request, medians of {rounds} rounds by turns\n")
    print(f"| gateway | {' | '.join(TITLES)} | added p50/p99 ms at 100/s | RSS MB |")
    print("|---|" + "---|" * (len(TITLES) + 2))
    for name in names:
        print(f"| {PEERS[name].title} | {' | '.join(_cells(name, seen))} |")
    print(f"\n{CANNOT}: it cannot, or is not measured. What is off in each (in ours: on):\n")
    for name in names:
        print(f"- {PEERS[name].title}: {PEERS[name].off}")
    for name, reason in missing.items():
        print(f"- {PEERS[name].title} is not measured: {reason}")
    for (name, title), reason in measured.failed.items():
        print(f"- {name} cannot do “{title}”: {reason}")
    print("\n| goal | | seen | reached |\n|---|---|---|---|")
    for row in goals(seen):
        print(f"| {' | '.join(row)} |")


def _cells(name: str, seen: Seen) -> list[str]:
    cells = [f"{seen[name, title]:.0f}" if (name, title) in seen else CANNOT for title in TITLES]
    p50, p99, rss = (seen.get((name, figure)) for figure in (P50, P99, RSS))
    added = CANNOT if p50 is None else f"{p50:.1f}/{p99:.1f}"
    return [*cells, added, CANNOT if rss is None else f"{rss:.0f}"]
