"""CPU of the gateway's process per request, with authentication, books and metrics on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from bench.harness import ask, cpu_seconds, gateway_before_upstream, worker_of

AT_ONCE = 8
WARM_UP = 100


async def run(folder: Path) -> None:
    print("\n## CPU of the gateway (µs a request; the upstream sends 100 chunks)\n")
    print("| request | upstream | µs | RSS MB |")
    print("|---|---|---|---|")
    for title, stream, pause, count in (
        ("whole answer", False, 0, 1000),
        ("stream", True, 0, 1000),
        ("stream", True, 2000, 200),
    ):
        with gateway_before_upstream(folder / f"{stream}{pause}", pause) as (server, token):
            worker = worker_of(server)
            async with aiohttp.ClientSession() as session:

                async def client(requests: int) -> None:
                    for _ in range(requests):
                        await ask(session, server, token, stream)  # noqa: B023

                await asyncio.gather(*(client(WARM_UP // AT_ONCE) for _ in range(AT_ONCE)))
                before = cpu_seconds(worker)
                await asyncio.gather(*(client(count // AT_ONCE) for _ in range(AT_ONCE)))
                spent = (cpu_seconds(worker) - before) / (count // AT_ONCE * AT_ONCE)
            memory = worker.memory_info().rss / 1e6
        pace = "all at once" if not pause else f"a chunk every {pause / 1000:g} ms"
        print(f"| {title} | {pace} | {spent * 1e6:.0f} | {memory:.0f} |", flush=True)
