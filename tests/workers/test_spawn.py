"""Starting a child holds nobody up: what it costs the loop does not grow with our memory."""

import os
import statistics
import time

import uvloop

from xinghe.workers.process import ChildProcess

MEMORY = 300_000_000
TIMES = 5


def forked() -> float:
    """Seconds of CPU of a fork, which copies our memory's tables."""
    began = time.thread_time()
    child = os.fork()
    if not child:
        os._exit(0)
    spent = time.thread_time() - began
    os.waitpid(child, 0)
    return spent


async def spawned() -> float:
    began = time.thread_time()
    child = await ChildProcess.spawn(
        "tests.workers.child", (), nice=0, idle=False, threads=1, python=""
    )
    spent = time.thread_time() - began
    await child.end()
    return spent


def test_a_child_is_started_without_a_copy_of_our_memory_s_tables() -> None:
    memory = bytearray(os.urandom(1)) * MEMORY
    forks = statistics.median(forked() for _ in range(TIMES))

    async def several() -> list[float]:
        return [await spawned() for _ in range(TIMES)]

    assert statistics.median(uvloop.run(several())) < forks / 2
    assert len(memory) == MEMORY
