"""The embedded engine's own server, without Xinghe before it: what ours is measured against."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import msgspec
from tests.kit.catalogs import catalog_of
from tests.kit.server import Server

from xinghe.doctor.processor import capacity
from xinghe.engines.llamacpp.child import ChildReady, ChildSpec
from xinghe.settings import load
from xinghe.weights import find

MODEL = "ernie-speed-8k"


class Side(NamedTuple):
    """One of the two that are compared."""

    url: str
    key: str
    sampling: dict[str, Any]

    def post(self, session: aiohttp.ClientSession, body: dict[str, object]) -> Any:
        """Ask for a chat."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        return session.post(self.url, data=json.dumps(body), headers=headers, raise_for_status=True)


@asynccontextmanager
async def sides(folder: Path) -> AsyncIterator[tuple[aiohttp.ClientSession, Side, Side]]:
    """The bare engine and Xinghe, with the same small weights and as many threads."""
    threads = capacity().threads
    pinned = {"XINGHE_EMBEDDED__THREADS": str(threads)}
    async with bare_engine(folder, "small", threads) as (url, key):
        with Server(folder / "data", "--model", "small", settings=pinned) as server:
            token = server.token()
            # What Xinghe asks of the engine, so that both generate under the same conditions.
            asked = {"repeat_penalty": 1.1, "cache_prompt": True, "return_progress": True}
            timeout = aiohttp.ClientTimeout(total=600)
            # The bare engine closes kept connections when it likes.
            connector = aiohttp.TCPConnector(force_close=True)
            async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
                bare = Side(f"{url}/v1/chat/completions", key, asked)
                yield session, bare, Side(f"{server.url}/v1/chat/completions", token, {})


@asynccontextmanager
async def bare_engine(folder: Path, weights: str, threads: int) -> AsyncIterator[tuple[str, str]]:
    """A child as Xinghe would start it; yields its address and its key."""
    settings = load(str(folder / "bare"), {"embedded.model": weights, "embedded.threads": threads})
    deployment = catalog_of(settings).deployments["embedded"]
    path = find(settings, weights)
    if path is None:
        raise SystemExit(f"no weights yet: run `xinghe models pull {weights}`")
    key = secrets.token_urlsafe()
    spec = ChildSpec(
        weights=str(path),
        mmproj="",
        picture_tokens=0,
        context=deployment.context,
        slots=deployment.slots,
        threads=threads,
        repack=settings.embedded.repack,
        key=key,
        parent=os.getpid(),
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "xinghe.engines.llamacpp.child", stdin=PIPE, stdout=PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(msgspec.json.encode(spec) + b"\n")
    try:
        ready = msgspec.json.decode(await child.stdout.readline(), type=ChildReady)
        yield ready.address, key
    finally:
        child.terminate()
        await child.wait()
