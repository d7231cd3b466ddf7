"""A long call tells its progress, ends within a step of its cancellation, and frees the child."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest

from tests.workers.job import Counting
from xinghe.workers import RequestFailed, Worker, WorkerDied


@pytest.fixture
async def worker() -> AsyncIterator[Worker[int]]:
    worker = Worker("tests.workers.job", int, python=sys.executable)
    yield worker
    await worker.aclose()


async def test_it_is_started_before_the_first_call(worker: Worker[int]) -> None:
    assert not worker.ready
    worker.start()
    async with asyncio.timeout(100):
        while not worker.ready:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    pid = worker.pid
    assert await worker.call(Counting(1)) == 1
    assert worker.pid == pid


async def test_progress_is_heard_in_order(worker: Worker[int]) -> None:
    heard: list[int] = []
    assert await worker.call(Counting(20), progress=heard.append) == 20
    assert heard == list(range(1, 21))


async def test_who_leaves_frees_the_child_within_a_step(worker: Worker[int]) -> None:
    heard: list[int] = []
    arrived = asyncio.Event()

    def hear(done: int) -> None:
        heard.append(done)
        arrived.set()

    task = asyncio.create_task(worker.call(Counting(2000, 0.1), progress=hear))
    await arrived.wait()
    task.cancel()
    # Left alone, it would be at work for 200 s.
    async with asyncio.timeout(60):
        assert await worker.call(Counting(1)) == 1
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(heard) < 5


async def test_who_leaves_the_queue_is_never_begun(worker: Worker[int]) -> None:
    first = asyncio.create_task(worker.call(Counting(3, 0.1)))
    await asyncio.sleep(0)
    heard: list[int] = []
    second = asyncio.create_task(worker.call(Counting(50, 0.1), progress=heard.append))
    await asyncio.sleep(0)
    second.cancel()
    assert await first == 3
    assert await worker.call(Counting(1)) == 1
    assert heard == []


async def test_nonsense_fails_alone(worker: Worker[int]) -> None:
    with pytest.raises(RequestFailed):
        await worker.call("no counting")
    assert await worker.call(Counting(2)) == 2


async def test_another_python_that_is_not_there() -> None:
    worker = Worker("tests.workers.job", int, python="/no/such/python")
    with pytest.raises(WorkerDied, match="cannot be started"):
        await worker.call(Counting(1))
    await worker.aclose()
