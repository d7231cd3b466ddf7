"""A child that has work lives as long as it computes, whatever it says."""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from xinghe.engines.llamacpp import watch
from xinghe.engines.llamacpp.watch import Watch, computed


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOOK", 0.02)
    monkeypatch.setattr(watch, "STUCK", 0.1)
    monkeypatch.setattr("os.getppid", os.getpid)  # the child's parent is here its watcher


@asynccontextmanager
async def child(code: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=-1)
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


SLEEPS = "import time; print('ready', flush=True); time.sleep(600)"
BURNS = "print('ready', flush=True)\nwhile True: pass"


async def test_who_has_work_and_computes_nothing_is_ended() -> None:
    looks = Watch("d")
    async with child(SLEEPS) as process:
        looks.follow(process.pid)
        assert await looks.during(process.wait()) == -9


async def test_who_computes_or_has_no_work_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks, looked = itertools.count(1), asyncio.Event()

    def busy(_: int) -> float:
        if (now := next(ticks)) > 20:
            looked.set()
        return now * 0.03

    looks = Watch("d")
    async with child(SLEEPS) as process:
        looks.follow(process.pid)
        with monkeypatch.context() as patched:
            patched.setattr(watch, "computed", busy)
            await looks.during(looked.wait())
        await asyncio.sleep(0.3)  # nobody has work for it
        assert process.returncode is None
    looks.close()


async def test_what_a_process_computes_is_seen_of_our_parents_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with child(BURNS) as process:
        first = computed(process.pid)
        while computed(process.pid) == first:  # noqa: ASYNC110 - it tells in no other way
            await asyncio.sleep(0.01)
        monkeypatch.setattr("os.getppid", lambda: 1)
        assert math.isnan(computed(process.pid))
    assert math.isnan(computed(process.pid))
