"""A service over several chat servers that are processes of their own, and its clients."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.kit.separate import Separate
from tests.kit.server import Server
from tests.kit.tiny import write_tiny

MODEL = "replicated"
MODELS = """
[limits]
qps = 0
rpm = 0
tpm = 0

[defaults]
rpm = 0
tpm = 0
deployment = "replicas"

[deployments.replicas]
engine = "upstream"
urls = [{urls}]
model = "m"
context = 131072
connect_timeout = 2.0
silence_timeout = 30.0

[models."replicated"]
kind = "chat"
context = 131072
max_input = 65536
output_max = 2048
output_default = 64
input_ratio = 1.0
output_ratio = 2.0
"""


SCRIPTED, LLAMA = "tests.faults.replicas.server", "tests.faults.replicas.llama"
"""What chat servers are made of."""


class Process(Separate):
    """One chat server."""

    async def pace(self, **seconds: float) -> None:
        """How long it takes from now on: `head` before its answer, `piece` before each piece."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://127.0.0.1:{self.port}/pace", json=seconds) as answer,
        ):
            assert answer.status == 200


@dataclass
class Load:
    """What clients have seen: seconds that each request took, and those that went wrong."""

    took: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    cached: int = 0
    prompt: int = 0
    _marks: list[tuple[int, asyncio.Event]] = field(default_factory=list)

    async def reached(self, requests: int) -> None:
        """Wait until so many have ended."""
        mark = asyncio.Event()
        self._marks.append((requests, mark))
        await mark.wait()

    def ended(self) -> None:
        """One has."""
        for requests, mark in self._marks:
            if len(self.took) + len(self.failed) >= requests:
                mark.set()

    @property
    def p99(self) -> float:
        return sorted(self.took)[int(len(self.took) * 0.99)]


class House:
    """The service, its token, and the servers behind it."""

    def __init__(self, server: Server, servers: Sequence[Process]) -> None:
        self.servers = servers
        self.server = server
        self._url = f"{server.url}/v1/chat/completions"
        self._headers = {"Authorization": f"Bearer {server.token()}"}

    async def ask(
        self,
        session: aiohttp.ClientSession,
        load: Load,
        messages: Sequence[dict[str, str]],
    ) -> None:
        """One request, told to `load`."""
        body: dict[str, Any] = {"model": MODEL, "messages": messages}
        began = time.perf_counter()
        try:
            async with session.post(self._url, json=body, headers=self._headers) as answer:
                said = await answer.read()
            if answer.status == 200:
                usage = json.loads(said)["usage"]
                load.prompt += usage["prompt_tokens"]
                load.cached += usage["prompt_tokens_details"]["cached_tokens"]
                load.took.append(time.perf_counter() - began)
            else:
                load.failed.append(f"{answer.status} {said[:300]!r}")
        except (aiohttp.ClientError, TimeoutError) as error:
            load.failed.append(repr(error))
        load.ended()

    async def crowd(self, requests: int, at_once: int, load: Load) -> Load:
        """So many clients send so many requests."""
        left = iter(range(requests))

        async def client(session: aiohttp.ClientSession) -> None:
            for number in left:
                messages = [{"role": "user", "content": f"question {number}"}]
                await self.ask(session, load, messages)

        async with session_of(at_once) as session:
            await asyncio.gather(*(client(session) for _ in range(at_once)))
        return load


def session_of(at_once: int) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=at_once), timeout=aiohttp.ClientTimeout(60)
    )


@contextmanager
def house(folder: Path, number: int, made_of: str = SCRIPTED) -> Iterator[House]:
    """A service over so many servers."""
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        servers = [stack.enter_context(Process(made_of)) for _ in range(number)]
        urls = ", ".join(f'"{each.url}"' for each in servers)
        weights = write_tiny(folder / "tiny.gguf", "{{ messages[0].content }}")
        server = stack.enter_context(
            Server(
                folder / "data",
                models=MODELS.format(urls=urls),
                settings={
                    "XINGHE_EMBEDDED__MODEL": str(weights),
                    # Making its index would take a core for a while.
                    "XINGHE_SEARCH__DOCUMENTATION": "false",
                },
            )
        )
        yield House(server, servers)
