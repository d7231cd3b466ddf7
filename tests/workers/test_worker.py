"""A worker answers, yields the processor, bounds its queue and forgets who left."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator

import psutil
import pytest
import uvloop

from tests.workers.child import Work
from xinghe.workers import (
    QueueFull,
    RequestFailed,
    Worker,
    WorkerClosed,
    WorkerDied,
    WorkerTimeout,
)

MODULE = "tests.workers.child"


@pytest.fixture
async def worker() -> AsyncIterator[Worker[str]]:
    worker = Worker(MODULE, str, waiting=1000)
    yield worker
    await worker.aclose()


async def test_it_starts_at_the_first_call_and_stays(worker: Worker[str]) -> None:
    assert worker.pid is None
    assert await worker.call(Work(text="你好\x00\u2028")) == "你好\x00\u2028"
    first = worker.pid
    assert first is not None
    assert await worker.call(Work(text="x" * 3_000_000)) == "x" * 3_000_000
    assert worker.pid == first


def test_it_works_on_the_gateway_s_event_loop() -> None:
    async def use() -> None:
        worker = Worker(MODULE, str)
        assert await worker.call(Work(text="你好")) == "你好"
        pid = worker.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        while worker.pid is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert await worker.call(Work(text="again")) == "again"
        with pytest.raises(WorkerTimeout):
            await worker.call(Work(seconds=60), timeout=0.2)
        await worker.aclose()
        assert not psutil.pid_exists(pid)

    uvloop.run(use())


async def test_what_cannot_be_spawned_fails_its_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/interpreter")
    worker = Worker(MODULE, str)
    for _ in range(2):
        with pytest.raises(WorkerDied, match="cannot be started"):
            await worker.call(Work())
    await worker.aclose()


async def test_a_thousand_calls_at_once_each_get_their_own_reply(worker: Worker[str]) -> None:
    replies = await asyncio.gather(*(worker.call(Work(text=str(n))) for n in range(1000)))
    assert replies == [str(n) for n in range(1000)]


async def test_what_the_handler_raises_reaches_the_caller_alone(worker: Worker[str]) -> None:
    with pytest.raises(RequestFailed, match="ValueError: no such page"):
        await worker.call(Work("raise", "no such page"))
    first = worker.pid
    assert await worker.call(Work(text="on")) == "on"
    assert worker.pid == first
    with pytest.raises(RequestFailed, match="ValidationError"):
        await worker.call({"what": 7})


async def test_print_does_not_disturb_the_pipe(worker: Worker[str]) -> None:
    assert await worker.call(Work("print", "some library's banner")) == "done"
    assert await worker.call(Work(text="on")) == "on"


async def test_the_queue_is_bounded() -> None:
    worker = Worker(MODULE, str, waiting=2)
    await worker.call(Work())
    at_work = asyncio.create_task(worker.call(Work(seconds=1)))
    await asyncio.sleep(0)
    queued = [asyncio.create_task(worker.call(Work(text="in"))) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(QueueFull, match="2 calls"):
        await worker.call(Work())
    queued[0].cancel()
    await asyncio.wait((queued[0],))
    assert await worker.call(Work(text="room again")) == "room again"
    assert await queued[1] == "in"
    assert await at_work == ""
    await worker.aclose()


async def test_a_cancelled_caller_is_forgotten(worker: Worker[str]) -> None:
    await worker.call(Work())
    first = worker.pid
    at_work = asyncio.create_task(worker.call(Work(text="late", seconds=0.2)))
    queued = asyncio.create_task(worker.call(Work("exit", "9")))
    await asyncio.sleep(0.05)
    at_work.cancel()
    queued.cancel()
    assert await worker.call(Work(text="mine")) == "mine"
    assert worker.pid == first  # the one that would have ended it was never handed out


async def test_priority_and_threads_are_as_told() -> None:
    worker = Worker(MODULE, str, nice=7, threads=3)
    assert await worker.call(Work("priority")) == f"7 {os.SCHED_OTHER} 3"
    await worker.aclose()
    worker = Worker(MODULE, str, nice=19, idle=True)
    assert await worker.call(Work("priority")) == f"19 {os.SCHED_IDLE} 1"
    await worker.aclose()


async def test_closing_ends_the_child_and_fails_the_calls() -> None:
    worker = Worker(MODULE, str)
    await worker.call(Work())
    pid = worker.pid
    assert pid is not None
    calls = [asyncio.create_task(worker.call(Work(seconds=60))) for _ in range(3)]
    await asyncio.sleep(0.05)
    await worker.aclose()
    for call in calls:
        with pytest.raises(WorkerClosed):
            await call
    assert not psutil.pid_exists(pid)
    with pytest.raises(WorkerClosed):
        await worker.call(Work())


async def test_closing_while_it_starts_leaves_no_child() -> None:
    before = {child.pid for child in psutil.Process().children()}
    for _ in range(3):
        worker = Worker(MODULE, str)
        call = asyncio.create_task(worker.call(Work()))
        await asyncio.sleep(0.001)
        await worker.aclose()
        with pytest.raises(WorkerClosed):
            await call
    assert {child.pid for child in psutil.Process().children()} <= before
