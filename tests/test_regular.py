"""What is done again and again goes on, whatever happened to one round."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from xinghe.regular import Regular


async def test_a_round_that_fails_is_not_the_last() -> None:
    rounds = asyncio.Queue[int]()
    errors = [OSError("the disk is full"), ValueError("a fault of ours")]

    async def work() -> None:
        rounds.put_nowait(len(errors))
        if errors:
            raise errors.pop(0)

    regular = Regular(work, 0.001, "round_failed", OSError)
    with capture_logs() as logs:
        await regular.start()
        await regular.start()
        async with asyncio.timeout(30):
            assert [await rounds.get() for _ in range(4)] == [2, 1, 0, 0]
        await regular.stop()
    told = [(each["event"], each["log_level"], "exc_info" in each) for each in logs]
    assert told == [("round_failed", "warning", False), ("round_failed", "error", True)]
    assert logs[0]["error"] == "the disk is full"


async def test_stop_breaks_a_round_off() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    regular = Regular(work, 0.001, "round_failed")
    await regular.stop()  # it has not begun
    await regular.start()
    async with asyncio.timeout(30):
        await begun.wait()
        await regular.stop()
    assert ended.is_set()
    assert asyncio.all_tasks() == {asyncio.current_task()}
