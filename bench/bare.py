"""The embedded engine's own server, without Xinghe before it: what ours is measured against."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from tests.kit.catalogs import catalog_of

from xinghe.engines.llamacpp.child import ChildReady, ChildSpec
from xinghe.settings import load
from xinghe.weights import find


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
