"""A parent with a busy child: prints the child's process id and waits to be killed."""

from __future__ import annotations

import asyncio

from tests.workers.child import Work
from xinghe.workers import Worker


async def main() -> None:
    worker = Worker("tests.workers.child", str)
    await worker.call(Work())
    print(worker.pid, flush=True)
    await worker.call(Work(seconds=60))


if __name__ == "__main__":
    asyncio.run(main())
