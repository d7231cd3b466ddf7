"""Throughput of embedded streams through Xinghe, as a share of the bare engine's."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from pathlib import Path

import aiohttp
from tests.kit.models import LONG_STORY
from tests.kit.server import Server

from bench.bare import bare_engine
from xinghe.doctor.processor import capacity

STREAMS, TOKENS, ROUNDS = (4, 8), 48, 5
MODEL = "ernie-speed-8k"


def _messages(number: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": LONG_STORY.format(number=number)}]


async def _one(session: aiohttp.ClientSession, url: str, key: str, body: dict[str, object]) -> int:
    """Stream one answer; returns its completion tokens."""
    async with session.post(
        url, data=json.dumps(body), headers={"Authorization": f"Bearer {key}"}
    ) as answer:
        text = await answer.text()
        if answer.status != 200:
            raise RuntimeError(text)
    last = [line for line in text.splitlines() if '"usage":{' in line][-1]
    return int(json.loads(last.removeprefix("data: "))["usage"]["completion_tokens"])


async def _round(
    session: aiohttp.ClientSession, url: str, key: str, stories: range, sampling: dict[str, object]
) -> float:
    """Tokens a second of one round of a stream for each story."""
    started = time.perf_counter()
    bodies = [
        {
            "model": MODEL,
            "messages": _messages(number),
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": TOKENS,
            **sampling,
        }
        for number in stories
    ]
    tokens = await asyncio.gather(*(_one(session, url, key, body) for body in bodies))
    return sum(tokens) / (time.perf_counter() - started)


async def run(folder: Path) -> None:
    """The two take turns, so that a machine that slows down slows both."""
    threads = capacity().threads
    pinned = {"XINGHE_EMBEDDED__THREADS": str(threads)}
    async with bare_engine(folder, "small", threads) as (bare_url, key):
        with Server(folder / "data", "--model", "small", settings=pinned) as server:
            token = server.token()
            ours_url = f"{server.url}/v1/chat/completions"
            # What Xinghe asks of the engine, so that both generate under the same conditions.
            bare: dict[str, object] = {
                "repeat_penalty": 1.1,
                "cache_prompt": True,
                "return_progress": True,
            }
            timeout = aiohttp.ClientTimeout(total=600)
            print(f"\n## Embedded streams (small weights, {threads} threads, {ROUNDS} rounds)\n")
            print("| streams | bare engine, tokens/s | through Xinghe | median ratio | wanted |")
            print("|---|---|---|---|---|")
            async with aiohttp.ClientSession(timeout=timeout) as session:
                for streams in STREAMS:
                    ratios, bares, ours = [], [], []
                    for round_ in range(ROUNDS):
                        first = 100 * streams + 10 * round_
                        stories = range(first, first + streams)
                        url = f"{bare_url}/v1/chat/completions"
                        bares.append(await _round(session, url, key, stories, bare))
                        ours.append(await _round(session, ours_url, token, stories, {}))
                        ratios.append(ours[-1] / bares[-1])
                    bare_rate, our_rate, ratio = map(statistics.median, (bares, ours, ratios))
                    print(
                        f"| {streams} | {bare_rate:.1f} | {our_rate:.1f} | {ratio:.3f} | ≥ 0.97 |",
                        flush=True,
                    )
