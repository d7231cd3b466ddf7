"""Several children of one module behind one queue: for calls whose cost a client can size."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec

from xinghe.workers.protocol import RequestFailed, WorkerClosed, WorkerFailure
from xinghe.workers.queue import FairQueue
from xinghe.workers.worker import Worker

Reply = TypeVar("Reply")

GRACE = 0.25
"""Seconds that a call whose caller has left may still take: most are done before. More for a
child that takes long to start."""
START_TIMEOUT = 10.0
"""Seconds in which a new child is ready, or will not be soon."""


class WorkerPool(Generic[Reply]):
    """`size` children of `module`, each with one call at a time.

    At most `waiting` calls queue, at most `share` of one account, and accounts take turns, those
    first that have had little of the children lately. Where there are several children, one
    account never has all of them. A call may take `timeout`
    seconds from when a child begins it, and `memory` bytes of data; the child that exceeds
    either, or dies of a call, is replaced at once, and only that call fails.
    """

    def __init__(
        self,
        module: str,
        reply: type[Reply],
        *,
        size: int = 2,
        waiting: int = 64,
        share: int = 8,
        timeout: float,
        memory: int = 0,
        arguments: Sequence[str] = (),
        nice: int = 0,
        grace: float = GRACE,
    ) -> None:
        self._module = module
        self._grace = grace
        self._workers = [
            Worker(
                module,
                reply,
                arguments=arguments,
                nice=nice,
                timeout=timeout,
                memory=memory,
                expendable=True,
            )
            for _ in range(size)
        ]
        self._idle = list(self._workers)
        self._most_of_one = max(1, size - 1)
        self._queue: FairQueue[_Call[Reply]] = FairQueue(most=waiting, share=share, drop=_Call.fail)
        self._at_work: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def start(self) -> None:
        """Start the children now, so that no call waits for it. Needs the running loop."""
        for worker in self._workers:
            worker.start()

    @property
    def pids(self) -> list[int]:
        """The process ids of the children that run."""
        return [worker.pid for worker in self._workers if worker.pid is not None]

    async def call(
        self,
        request: object,
        account: str,
        timeout: float | None = None,  # noqa: ASYNC109
        progress: Callable[[int], None] | None = None,
        *,
        bounded: bool = True,
        known: Callable[[], Reply | None] | None = None,
    ) -> Reply:
        """What a child's handler returns for `request`; `timeout` in place of the pool's own.

        `progress` hears what a job of `serve_jobs` tells. What is not `bounded` takes its turn
        like all others, but is never refused: for pools whose work, all of it, bounds itself.
        `known` is asked when its turn comes: what it gives is the reply, and no child is troubled.

        A caller that is cancelled takes its call along: out of the queue, or, after `grace`
        seconds, out of the child's hands. Raises `WorkerFailure` (`QueueFull` where the queue
        is full, `WorkerTimeout`, `WorkerOutOfMemory`, `WorkerDied`, `RequestFailed`,
        `WorkerClosed`).
        """
        if self._closed:
            raise WorkerClosed(f"the workers {self._module} are closed")
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        call = _Call(request, timeout, progress, known, future)
        self._queue.put(account, call, bounded=bounded)
        self._hand_out()
        try:
            return await call.future
        finally:
            if call.future.cancelled() and not self._queue.remove(account, call) and call.worker:
                asyncio.get_running_loop().call_later(self._grace, _give_up, call)

    async def aclose(self) -> None:
        """End the children; calls that wait or work fail with `WorkerClosed`."""
        self._closed = True
        for call in self._queue.clear():
            call.fail(WorkerClosed(f"the workers {self._module} were closed"))
        for worker in self._workers:
            await worker.aclose()
        for task in list(self._tasks):
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _hand_out(self) -> None:
        """Give each idle child the call whose turn it is."""
        while self._idle:
            taken = self._queue.take(lambda account: self._at_work[account] < self._most_of_one)
            if taken is None:
                return
            account, call = taken
            found = call.known() if call.known else None
            if found is not None:
                call.future.set_result(found)
                continue
            # The one that is loaded, where another is just being replaced.
            worker = max(self._idle, key=lambda one: one.ready)
            self._idle.remove(worker)
            self._at_work[account] += 1
            call.worker = worker
            task = asyncio.create_task(self._work(worker, account, call))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _work(self, worker: Worker[Reply], account: str, call: _Call[Reply]) -> None:
        """See one call through; not in its caller's task, as a child is busy until it ends."""
        began = time.monotonic()
        try:
            reply = await worker.call(call.request, call.timeout, call.progress)
        except WorkerFailure as failure:
            call.fail(failure)
            if worker.broken and not any(one.ready for one in self._workers):
                # Calls for children that cannot start would wait for each other's tries, too.
                for waiting in self._queue.clear():
                    waiting.fail(type(failure)(*failure.args))
            else:
                # The account's next call waits for the new child: the others' are left to others.
                await self._replaced(worker)
        except Exception as error:  # it cannot be sent, or is no reply: the caller must hear of it
            call.fail(RequestFailed(type(error).__name__))
        else:
            if not call.future.done():
                call.future.set_result(reply)
        finally:
            call.worker = None
            # With the new child, where it took one: for so long nobody else had this one.
            self._queue.used(account, time.monotonic() - began)
            self._at_work[account] -= 1
            if not self._at_work[account]:
                del self._at_work[account]
            self._idle.append(worker)
            if not self._closed:
                self._hand_out()

    async def _replaced(self, worker: Worker[Reply]) -> None:
        """Start a new child where the call has ended the old one, and wait until it is ready."""
        until = time.monotonic() + START_TIMEOUT
        while not (self._closed or worker.ready or worker.broken or time.monotonic() > until):
            worker.start()
            await asyncio.sleep(0.01)


class _Call(msgspec.Struct, Generic[Reply], eq=False):
    """A call that waits, or that `worker` has; `timeout` in seconds."""

    request: object
    timeout: float | None
    progress: Callable[[int], None] | None
    known: Callable[[], Reply | None] | None
    future: asyncio.Future[Reply]
    worker: Worker[Reply] | None = None

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


def _give_up(call: _Call[Reply]) -> None:
    if call.worker is not None:
        call.worker.give_up()
        # The child may be starting yet.
        asyncio.get_running_loop().call_later(GRACE, _give_up, call)
