"""A few threads of their own for short work that a client can size."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from xinghe.workers.turns import Turns

P = ParamSpec("P")
T = TypeVar("T")


class Lane:
    """Runs calls in up to `threads` threads, so that no other room waits behind them.

    At most `waiting` calls queue, at most `share` of one account (that of `core.ACCOUNT`), and
    accounts take turns. For work that gives up the GIL within a millisecond, as reading files
    does; what would hold it belongs into a `WorkerPool`.
    """

    def __init__(self, name: str, *, threads: int = 1, waiting: int = 256, share: int = 64) -> None:
        self._threads = ThreadPoolExecutor(threads, name)
        self._turns = Turns(threads, waiting=waiting, share=share)

    async def run(self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """What `work` returns, or raises. Raises `WorkerBusy` where the queue is full.

        A caller that is cancelled takes its call out of the queue; one that has begun goes on.
        """
        await self._turns.take()
        loop = asyncio.get_running_loop()

        def ended(_: Future[T]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended before the thread
                loop.call_soon_threadsafe(self._turns.pass_on)

        try:
            running = self._threads.submit(work, *arguments, **named)
        except BaseException:
            self._turns.pass_on()
            raise
        running.add_done_callback(ended)
        return await asyncio.wrap_future(running)

    def later(self, work: Callable[[], object]) -> None:
        """Have a thread do what nobody waits for and nothing fails of; here where it is closed."""
        try:
            self._threads.submit(work)
        except RuntimeError:
            work()

    def close(self) -> None:
        """Take no more calls; those under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)
