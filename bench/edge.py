"""The gateway's own time, measured inside it: last byte in → engine called, delta → bytes out."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from bench.harness import ask, gateway_before_upstream, quantile

PAUSE_US = 5000


async def run(folder: Path) -> None:
    """One stream after another, then eight at once, at 200 tokens a second each."""
    print("\n## The gateway's own time (ms)\n")
    print("| streams at once | in p50 | in p95 | out p50 | out p95 | p50 together |")
    print("|---|---|---|---|---|---|")
    for at_once in (1, 8):
        with gateway_before_upstream(folder / str(at_once), PAUSE_US) as (server, token):
            async with aiohttp.ClientSession() as session:

                async def client(count: int) -> None:
                    for _ in range(count):
                        await ask(session, server, token, stream=True)

                await asyncio.gather(*(client(max(4, 24 // at_once)) for _ in range(at_once)))
                async with session.get(server.metrics_url) as answer:
                    page = await answer.text()
        figures = [
            quantile(page, name, share) * 1000
            for name in ("xinghe_edge_in_seconds", "xinghe_edge_out_seconds")
            for share in (0.5, 0.95)
        ]
        row = " | ".join(f"{figure:.2f}" for figure in figures)
        print(f"| {at_once} | {row} | {figures[0] + figures[2]:.2f} |", flush=True)
