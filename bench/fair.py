"""How fair the embedded engine is: short requests beside a long prompt, and one against many."""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import time
from pathlib import Path
from typing import Any

import aiohttp
from tests.kit.models import LONG_STORY
from tests.kit.server import Server

MODEL = "ernie-4.5-turbo-32k"
LONG_TOKENS, SHORT_REQUESTS, ANSWER = 8000, 20, 8
CONVERSATIONS, TURNS, TURN_TOKENS = 8, 16, 40
HELLO = "{number}, 你好"
"""No two begin alike: nothing of one is left to the next."""


class Client:
    """One account's requests."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self._session = session
        self._url = f"{url}/v1/chat/completions"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.errors = 0

    async def ask(self, text: str, answer: int) -> tuple[float, float, dict[str, Any]]:
        """Seconds to the first token and to the end, and the usage."""
        body = {
            "model": MODEL,
            "messages": [{"role": "user", "content": text}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": answer,
        }
        began, first = time.perf_counter(), 0.0
        usage: dict[str, Any] = {}
        async with self._session.post(
            self._url, data=json.dumps(body), headers=self._headers
        ) as reply:
            self.errors += reply.status >= 500
            async for line in reply.content:
                if not line.startswith(b"data: {"):
                    continue
                event = json.loads(line[6:])
                self.errors += "error" in event
                first = first or time.perf_counter() - began
                usage = event.get("usage") or usage
        return first, time.perf_counter() - began, usage


def _long(number: int) -> str:
    """A prompt of about `LONG_TOKENS` that begins like no other."""
    words = (f"{number}w{index}" for index in range(LONG_TOKENS))
    return " ".join(words)[: int(LONG_TOKENS * 1.15)]


async def _beside_a_long_prompt(one: Client, other: Client) -> None:
    hello = (HELLO.format(number=number) for number in itertools.count())
    idle = [(await other.ask(next(hello), ANSWER))[:2] for _ in range(SHORT_REQUESTS)]
    first_idle = statistics.median(first for first, _ in idle)
    alone, _, usage = await one.ask(_long(1), 1)
    reading = asyncio.create_task(one.ask(_long(2), 1))
    await asyncio.sleep(2 * first_idle)
    beside = [(await other.ask(next(hello), ANSWER))[:2] for _ in range(SHORT_REQUESTS)]
    during = not reading.done()
    first_long, *_ = await reading
    firsts, took = [first for first, _ in beside], sum(end for _, end in idle)
    median, worst = statistics.median(firsts), max(firsts)
    cached = (await one.ask(_long(2), 1))[2]["prompt_tokens_details"]["cached_tokens"]
    print(f"\n## Short requests while {usage['prompt_tokens']} tokens are read (small weights)\n")
    print("| | measured | wanted |\n|---|---|---|")
    print(f"| all of them while it was read | {'yes' if during else 'no'} | yes |")
    print(f"| first token, idle (s) | {first_idle:.2f} | |")
    print(f"| median first token / idle | {median / first_idle:.2f} | ≤ 3 |")
    print(f"| worst first token - 3 idle (s) | {worst - 3 * first_idle:.2f} | ≤ 1 |")
    print(f"| errors (5xx) | {one.errors + other.errors} | 0 |")
    ratio = max(0.0, first_long - took) / alone
    print(f"| long: (time - what the others took) / alone | {ratio:.2f} | ≤ 1.3 |")
    print(f"| its prefix that is not read again | {cached / usage['prompt_tokens']:.3f} | ~ 1 |")


async def _one_against_many(one: Client, many: Client) -> None:
    """Both talk for as long as the one has turns to take."""
    had = {one: 0, many: 0}

    async def talk(client: Client, number: int, turns: int) -> None:
        for turn in range(turns):
            story = LONG_STORY.format(number=100 * number + turn)
            usage = (await client.ask(story, TURN_TOKENS))[2]
            cached = usage["prompt_tokens_details"]["cached_tokens"]
            had[client] += usage["total_tokens"] - cached

    talks = [asyncio.create_task(talk(many, number, 1000)) for number in range(CONVERSATIONS)]
    await talk(one, CONVERSATIONS, TURNS)
    before = dict(had)
    for each in talks:
        each.cancel()
    await asyncio.gather(*talks, return_exceptions=True)
    print(f"\n## Tokens of an account with 1 and one with {CONVERSATIONS} conversations\n")
    print("| | measured | wanted |\n|---|---|---|")
    print(f"| one | {before[one]} | |")
    print(f"| many | {before[many]} | |")
    print(f"| one / many | {before[one] / max(1, before[many]):.2f} | 0.8 - 1.25 |", flush=True)


async def run(folder: Path) -> None:
    """Two accounts on one server."""
    with Server(folder / "data", "--model", "small") as server:
        token = server.token()
        server.run("member", "create", "other")
        tokens = token, server.token(account="other")
        timeout = aiohttp.ClientTimeout(total=3600)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            clients = [Client(session, server.url, token) for token in tokens]
            await _one_against_many(*clients)
            await _beside_a_long_prompt(*clients)
