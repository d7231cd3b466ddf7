"""A pool bounds what one call and one account may take, and loses nobody else's call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import psutil
import pytest

from tests.workers.child import Work
from xinghe.workers import (
    QueueFull,
    RequestFailed,
    WorkerClosed,
    WorkerDied,
    WorkerOutOfMemory,
    WorkerPool,
    WorkerTimeout,
)

MODULE = "tests.workers.child"
MEMORY = 256 * 1024 * 1024


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool[str]]:
    pool = WorkerPool(MODULE, str, timeout=30, memory=MEMORY, waiting=6, share=4)
    pool.start()
    await asyncio.gather(*(pool.call(Work(), account) for account in "ab"))
    yield pool
    await pool.aclose()


async def reached(state: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not state():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_one_account_never_has_all_children(pool: WorkerPool[str]) -> None:
    hostile = [asyncio.create_task(pool.call(Work(seconds=20), "a")) for _ in range(4)]
    await asyncio.sleep(0)
    began = time.monotonic()
    assert await pool.call(Work(text="mine"), "b") == "mine"
    assert time.monotonic() - began < 10
    for task in hostile:
        task.cancel()
    await asyncio.wait(hostile)


async def test_a_short_call_waits_for_no_queue_of_long_ones() -> None:
    pool = WorkerPool(MODULE, str, timeout=1.5, waiting=40, share=4)
    hostile: list[asyncio.Task[str]] = []
    try:
        for account in "abcdef":
            calls = [pool.call(Work(seconds=20), account) for _ in range(3)]
            hostile += [asyncio.create_task(call) for call in calls]
        # Each of them has had a turn.
        await reached(lambda: sum(task.done() for task in hostile) >= 6)
        for _ in range(2):
            await pool.call(Work(text="mine"), "z")
        assert sum(task.done() for task in hostile) < 12  # in turn, it would be all others' twice
    finally:
        for task in hostile:
            task.cancel()
        await asyncio.gather(*hostile, return_exceptions=True)
        await pool.aclose()


async def test_the_queue_is_bounded_in_all_and_for_each(pool: WorkerPool[str]) -> None:
    tasks = [asyncio.create_task(pool.call(Work(seconds=20), "a")) for _ in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(QueueFull, match="4 calls of this account"):
        await pool.call(Work(), "a")
    tasks += [asyncio.create_task(pool.call(Work(seconds=20), "b")) for _ in range(3)]
    await asyncio.sleep(0)
    others = [asyncio.create_task(pool.call(Work(seconds=20), "c")) for _ in range(3)]
    with pytest.raises(QueueFull, match="others have less"):
        await tasks[4]
    with pytest.raises(QueueFull, match="6 calls are waiting"):
        await others[2]
    for task in tasks + others:
        task.cancel()
    await asyncio.wait(tasks + others)
    assert await pool.call(Work(text="room again"), "a") == "room again"


@pytest.mark.parametrize(
    ("work", "failure"),
    [
        (Work(seconds=60), WorkerTimeout),
        (Work("hoard", str(2 * MEMORY)), WorkerOutOfMemory),
        (Work("abort"), WorkerOutOfMemory),
        (Work("segfault"), WorkerDied),
    ],
)
async def test_what_takes_too_much_fails_alone_and_nobody_waits_for_it(
    work: Work, failure: type[Exception]
) -> None:
    pool = WorkerPool(MODULE, str, timeout=30, memory=MEMORY, size=1)
    await pool.call(Work(), "a")
    began = time.monotonic()
    # As often as a wait that doubles each time would take 25 seconds.
    for number in range(8):
        queued = asyncio.create_task(pool.call(work, "a", timeout=0.1 if work.seconds else 30))
        other = asyncio.create_task(pool.call(Work(text=str(number)), "a"))
        with pytest.raises(failure):
            await queued
        assert await other == str(number)
    assert time.monotonic() - began < 20
    await pool.aclose()


async def test_a_child_that_was_killed_is_replaced_without_a_call(pool: WorkerPool[str]) -> None:
    with pytest.raises(WorkerTimeout):
        await pool.call(Work(seconds=60), "a", timeout=0.1)
    await reached(lambda: len(pool.pids) == 2)


async def test_who_leaves_takes_the_call_along(pool: WorkerPool[str]) -> None:
    at_work = asyncio.create_task(pool.call(Work(seconds=60), "a"))
    queued = asyncio.create_task(pool.call(Work("exit", "3"), "a"))
    await asyncio.sleep(0)
    queued.cancel()
    await asyncio.wait([queued])
    first = set(pool.pids)
    at_work.cancel()
    began = time.monotonic()
    # The account's only child: it is free long before its call would have been done.
    assert await pool.call(Work(text="on"), "a") == "on"
    assert time.monotonic() - began < 20
    await reached(lambda: len(pool.pids) == 2)
    assert len(first & set(pool.pids)) == 1


async def test_who_leaves_a_short_call_costs_no_child(pool: WorkerPool[str]) -> None:
    first = pool.pids
    for _ in range(20):
        leaving = asyncio.create_task(pool.call(Work(), "a"))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
    assert await pool.call(Work(text="on"), "a") == "on"
    assert pool.pids == first


async def test_what_cannot_be_sent_is_told_and_the_pool_goes_on(pool: WorkerPool[str]) -> None:
    async with asyncio.timeout(20):
        with pytest.raises(RequestFailed, match="UnicodeEncodeError"):
            await pool.call(Work(text="\ud800"), "a")
    assert await pool.call(Work(text="on"), "a") == "on"


async def test_the_limit_counts_from_when_a_child_begins(pool: WorkerPool[str]) -> None:
    calls = [pool.call(Work(text=str(n), seconds=0.4), "a", timeout=1.2) for n in range(5)]
    assert await asyncio.gather(*calls) == ["0", "1", "2", "3", "4"]


async def test_who_waits_for_a_child_that_cannot_start_is_told_at_once() -> None:
    pool = WorkerPool(MODULE, str, timeout=30, size=1, arguments=["broken"])
    async with asyncio.timeout(60):  # one after the other, each would take 10 s and more
        calls = [pool.call(Work(), f"{number % 3}") for number in range(12)]
        failures = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(failure) for failure in failures} == {WorkerDied}
        with pytest.raises(WorkerDied):
            await pool.call(Work(), "a")
    await pool.aclose()


async def test_closing_ends_all() -> None:
    pool = WorkerPool(MODULE, str, timeout=60, size=1)
    pool.start()
    await pool.call(Work(), "a")
    (pid,) = pool.pids
    calls = [asyncio.create_task(pool.call(Work(seconds=60), account)) for account in "aabc"]
    await asyncio.sleep(0)
    await pool.aclose()
    for call in calls:
        with pytest.raises(WorkerClosed):
            await call
    assert not psutil.pid_exists(pid)
    with pytest.raises(WorkerClosed):
        await pool.call(Work(), "a")


async def test_what_is_no_request_or_no_reply_leaves_nobody_waiting() -> None:
    pool = WorkerPool(MODULE, int, timeout=30, size=1)
    async with asyncio.timeout(60):
        for request in (Work(text="\ud800"), Work(text="no number"), object()):
            with pytest.raises(RequestFailed) as failed:
                await pool.call(request, "a")
            assert "number" not in str(failed.value)
        assert len(pool.pids) == 1
    await pool.aclose()
