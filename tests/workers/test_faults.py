"""A worker whose child is killed, hangs, talks nonsense or cannot start."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.workers.child import Work
from xinghe.workers import Worker, WorkerDied, WorkerTimeout

MODULE = "tests.workers.child"


async def test_killed_in_the_middle_of_a_call() -> None:
    worker = Worker(MODULE, str)
    await worker.call(Work())
    first = worker.pid
    assert first is not None
    at_work = asyncio.create_task(worker.call(Work(seconds=60)))
    queued = asyncio.create_task(worker.call(Work(text="survives")))
    await asyncio.sleep(0.1)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(WorkerDied, match="status -9"):
        await at_work
    assert await queued == "survives"
    assert worker.pid != first
    await worker.aclose()


@pytest.mark.parametrize("work", [Work("exit", "3"), Work("segfault")])
async def test_a_poisonous_request_fails_alone(work: Work) -> None:
    worker = Worker(MODULE, str)
    poisoned = asyncio.create_task(worker.call(work))
    others = [asyncio.create_task(worker.call(Work(text=str(n)))) for n in range(5)]
    with pytest.raises(WorkerDied):
        await poisoned
    assert await asyncio.gather(*others) == ["0", "1", "2", "3", "4"]
    await worker.aclose()


async def test_one_that_hangs_is_killed_and_replaced() -> None:
    worker = Worker(MODULE, str)
    await worker.call(Work())
    first = worker.pid
    assert first is not None
    began = time.monotonic()
    with pytest.raises(WorkerTimeout, match=r"0\.2 s"):
        await worker.call(Work(seconds=60), timeout=0.2)
    assert time.monotonic() - began < 50
    assert await worker.call(Work(text="on")) == "on"
    assert not psutil.pid_exists(first)
    await worker.aclose()


async def test_one_that_hangs_after_its_caller_left_is_killed_all_the_same() -> None:
    worker = Worker(MODULE, str)
    await worker.call(Work())
    hanging = asyncio.create_task(worker.call(Work(seconds=60), timeout=0.3))
    await asyncio.sleep(0.1)
    hanging.cancel()
    assert await worker.call(Work(text="on")) == "on"
    await worker.aclose()


@pytest.mark.parametrize("said", ["", "Loading model… 100%\n", "\x00\x00\x00\x01\x01"])
async def test_nonsense_in_the_pipe(said: str) -> None:
    worker = Worker(MODULE, str)
    with pytest.raises(WorkerDied, match="not a frame"):
        await worker.call(Work("garbage", said))
    assert await worker.call(Work(text="on")) == "on"
    await worker.aclose()


async def test_one_that_cannot_start_fails_its_calls() -> None:
    worker = Worker(MODULE, str, arguments=["broken"])
    for _ in range(2):
        calls = [worker.call(Work()) for _ in range(3)]
        for result in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(result, WorkerDied)
            assert "status 1" in str(result)
    await worker.aclose()


async def test_one_that_never_gets_ready_fails_its_calls() -> None:
    worker = Worker(MODULE, str, arguments=["slow"], start_timeout=0.3)
    with pytest.raises(WorkerTimeout, match=r"not ready within 0\.3 s"):
        await worker.call(Work())
    await worker.aclose()


async def test_one_that_dies_while_idle_is_there_at_the_next_call() -> None:
    worker = Worker(MODULE, str)
    await worker.call(Work())
    first = worker.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    while worker.pid is not None:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)
    assert worker.pid is None  # nobody wants it
    assert await worker.call(Work(text="on")) == "on"
    await worker.aclose()


def test_a_parent_that_is_killed_takes_its_child_along() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-m", "tests.workers.parent"], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = next(int(line) for line in parent.stdout if line.strip().isdigit())
    time.sleep(0.1)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 60
    while _lives(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _lives(child)


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
