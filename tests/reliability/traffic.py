"""The clients of a round: streams, whole answers, and whole answers that are asked for again."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp

from tests.kit.api import DOCUMENTED
from tests.kit.models import CHAT
from tests.kit.script import Script

RATE = 10.0
"""Tokens a second of each stream."""
STREAMS, WHOLE, KEYED = 100, 12, 8
"""Clients of each kind, that is of each account; those of whole answers ask again and again."""
ACCOUNTS = ("streams", "whole", "keyed")
LOST = (aiohttp.ClientError, ConnectionError, TimeoutError, json.JSONDecodeError)


@dataclass
class Asked:
    """One request as its client saw it; counts are tokens."""

    request_id: str = ""
    status: int = 0
    prompt: int = 0
    completion: int = 0
    arrived: bool = False
    """The whole answer, or a stream up to its `[DONE]`."""

    @property
    def cost(self) -> int:
        """In Tokens, by the ratios of the scripted model."""
        return self.prompt + 2 * self.completion


@dataclass
class Traffic:
    """All clients of one round. `url` is asked anew for each request: a restart moves it."""

    url: Callable[[], str]
    tokens: Mapping[str, str]
    dice: random.Random
    asked: dict[str, list[Asked]] = field(default_factory=lambda: {who: [] for who in ACCOUNTS})
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Nobody begins another whole answer."""

    async def run(self) -> None:
        """Return when all streams have ended, and after `over` all that was asked for."""
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        timeout = aiohttp.ClientTimeout(total=120)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            await asyncio.gather(
                *(self._stream(session) for _ in range(STREAMS)),
                *(self._whole(session) for _ in range(WHOLE)),
                *(self._keyed(session, client) for client in range(KEYED)),
            )

    async def _stream(self, session: aiohttp.ClientSession) -> None:
        script = Script(pieces=["字"] * self.dice.randint(20, 120), rate=RATE)
        asked = self._new("streams")
        with suppress(*LOST):
            async with self._post(session, "streams", script, stream=True) as answer:
                asked.status = answer.status
                asked.request_id = answer.headers["x-request-id"]
                async for line in answer.content:
                    self._take(asked, line.decode().strip())

    def _take(self, asked: Asked, line: str) -> None:
        data = line.removeprefix("data: ")
        if data == "[DONE]":
            asked.arrived = True
        elif data != line:
            event = json.loads(data)
            for choice in event.get("choices", ()):
                asked.completion += bool(choice["delta"].get("content"))

    async def _whole(self, session: aiohttp.ClientSession) -> None:
        while not self.over.is_set():
            await self._once(session, "whole", self._script(), self._new("whole"))
            await asyncio.sleep(0.1)

    async def _keyed(self, session: aiohttp.ClientSession, client: int) -> None:
        """As a client's library does it: the same key until there is an answer."""
        numbers = count()
        while not self.over.is_set():
            script, asked = self._script(), self._new("keyed")
            key = f"{client}-{next(numbers)}-{script.id}"
            while not asked.arrived:
                await self._once(session, "keyed", script, asked, key)
                await asyncio.sleep(0.1)

    async def _once(
        self,
        session: aiohttp.ClientSession,
        account: str,
        script: Script,
        asked: Asked,
        key: str | None = None,
    ) -> None:
        headers = {} if key is None else {"Idempotency-Key": key}
        with suppress(*LOST):
            async with self._post(session, account, script, headers=headers) as answer:
                asked.status = answer.status
                asked.request_id = answer.headers["x-request-id"]
                body = json.loads(await answer.read())
                if answer.status == 200:
                    asked.prompt = body["usage"]["prompt_tokens"]
                    asked.completion = body["usage"]["completion_tokens"]
                    asked.arrived = True

    def _post(
        self,
        session: aiohttp.ClientSession,
        account: str,
        script: Script,
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Any:
        return session.post(
            f"{self.url()}{DOCUMENTED}/chat/completions",
            json={"model": CHAT, "messages": script.messages, **more},
            headers={"Authorization": f"Bearer {self.tokens[account]}", **(headers or {})},
        )

    def _script(self) -> Script:
        pieces = ["字"] * self.dice.randint(1, 20)
        return Script(pieces=pieces, delay=self.dice.uniform(0.05, 1.0))

    def _new(self, account: str) -> Asked:
        asked = Asked()
        self.asked[account].append(asked)
        return asked
