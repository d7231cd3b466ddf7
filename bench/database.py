"""CPU of the gateway's process per request on PostgreSQL, as a multiple of that on SQLite."""

from __future__ import annotations

import asyncio
from pathlib import Path
from statistics import median

import aiohttp
from tests.kit.server import Server

from bench.harness import ask, cpu_seconds, gateway_before_upstream, worker_of

AT_ONCE = 16
EACH = 20
"""Requests of each client in a round."""
ROUNDS = 7


async def run(folder: Path) -> None:
    print("\n## The two databases (CPU of the gateway, µs a request, 16 at once)\n")
    print("| request | SQLite | PostgreSQL | ratio |")
    print("|---|---|---|---|")
    with (
        gateway_before_upstream(folder / "sqlite", 0) as sqlite,
        gateway_before_upstream(folder / "postgresql", 0, "--postgres") as postgresql,
    ):
        for title, stream in (("whole answer", False), ("stream", True)):
            for service in (sqlite, postgresql):
                await _spent(*service, stream)
            # One after the other, so that both have the same machine.
            rounds = [
                [await _spent(*service, stream) for service in (sqlite, postgresql)]
                for _ in range(ROUNDS)
            ]
            files, servers = (median(each) * 1e6 for each in zip(*rounds, strict=True))
            ratio = median(server / file for file, server in rounds)
            print(f"| {title} | {files:.0f} | {servers:.0f} | {ratio:.2f} |", flush=True)


async def _spent(server: Server, token: str, stream: bool) -> float:
    """Seconds of CPU a request, in one round."""
    worker = worker_of(server)
    async with aiohttp.ClientSession() as session:

        async def client() -> None:
            for _ in range(EACH):
                await ask(session, server, token, stream)

        before = cpu_seconds(worker)
        await asyncio.gather(*(client() for _ in range(AT_ONCE)))
        return (cpu_seconds(worker) - before) / (AT_ONCE * EACH)
