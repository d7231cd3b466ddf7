"""Throughput of embedded streams through Xinghe, as a share of the bare engine's."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from pathlib import Path

import aiohttp
from tests.kit.models import LONG_STORY

from bench.bare import MODEL, Side, sides
from bench.turns import second_turn

STREAMS, TOKENS, ROUNDS = (1, 8), 48, 5


async def run(folder: Path) -> None:
    """The two take turns, so that a machine that slows down slows both."""
    async with sides(folder) as (session, bare, ours):
        print(f"\n## Embedded streams (small weights, {ROUNDS} rounds)\n")
        print("| streams | bare engine, tokens/s | through Xinghe | median ratio | wanted |")
        print("|---|---|---|---|---|")
        for streams in STREAMS:
            rates = []
            for round_ in range(ROUNDS):
                first = 100 * streams + 10 * round_
                stories = range(first, first + streams)
                rates.append([await _round(session, side, stories) for side in (bare, ours)])
            ratio = statistics.median(through / alone for alone, through in rates)
            alone, through = (statistics.median(each) for each in zip(*rates, strict=True))
            print(f"| {streams} | {alone:.1f} | {through:.1f} | {ratio:.3f} | ≥ 0.97 |", flush=True)
        await second_turn(session, bare, ours)


async def _round(session: aiohttp.ClientSession, side: Side, stories: range) -> float:
    """Tokens a second of one round of a stream for each story."""
    started = time.perf_counter()
    tokens = await asyncio.gather(*(_one(session, side, number) for number in stories))
    return sum(tokens) / (time.perf_counter() - started)


async def _one(session: aiohttp.ClientSession, side: Side, number: int) -> int:
    """Stream one answer; returns its completion tokens."""
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": LONG_STORY.format(number=number)}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": TOKENS,
        **side.sampling,
    }
    async with side.post(session, body) as answer:
        text = await answer.text()
    last = [line for line in text.splitlines() if '"usage":{' in line][-1]
    return int(json.loads(last.removeprefix("data: "))["usage"]["completion_tokens"])
