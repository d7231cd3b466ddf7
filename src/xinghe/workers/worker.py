"""The parent's side: a queue of calls, and a child that is started when the first one comes."""

import asyncio
import contextlib
import itertools
import os
import signal
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec
import structlog

from xinghe.workers.process import Backoff, ChildProcess
from xinghe.workers.protocol import (
    OUT_OF_MEMORY,
    Call,
    Cancel,
    Greeting,
    NotAFrame,
    Progressed,
    QueueFull,
    Ready,
    Replied,
    RequestFailed,
    WorkerClosed,
    WorkerDied,
    WorkerFailure,
    WorkerOutOfMemory,
    WorkerTimeout,
)

log = structlog.get_logger(__name__)

Reply = TypeVar("Reply")


class Worker(Generic[Reply]):
    """`python -m <module> <arguments…>`, kept running, asked by `call`.

    `reply` is the type of what its handler returns. `waiting` calls may queue. `threads` is told
    to numerical libraries by their environment variables; `nice` and `idle` (SCHED_IDLE where
    there is such a thing) say how readily it yields the processor. A child that dies is started
    again at the next call, after a wait that doubles from one early death to the next; only the
    calls that it had in hand fail. One that was killed for its time or had no memory left is
    started again without that wait, and so is an `expendable` one that died of a call. `memory`
    bytes of data are all that the child may have (RLIMIT_DATA; 0: no limit). `start_timeout`
    seconds may pass until it is ready. `python` is another environment's interpreter, with this
    package in it; empty: our own.
    """

    def __init__(
        self,
        module: str,
        reply: type[Reply],
        *,
        arguments: Sequence[str] = (),
        threads: int = 1,
        nice: int = 0,
        idle: bool = False,
        waiting: int = 256,
        timeout: float = 60.0,
        start_timeout: float = 60.0,
        python: str = "",
        memory: int = 0,
        expendable: bool = False,
    ) -> None:
        self._module = module
        self._arguments = tuple(arguments)
        self._threads, self._nice, self._idle = threads, nice, idle
        self._most_waiting = waiting
        self._timeout = timeout
        self._start_timeout = start_timeout
        self._python = python
        self._memory = memory
        self._expendable = expendable
        self._spent = False
        """Whether a call is why the child has ended: the next one need not wait."""
        self.broken = False
        """Whether the last child ended before it was ready, and none has been since."""
        self._decoder = msgspec.msgpack.Decoder(reply)
        self._numbers = itertools.count()
        self._waiting: deque[_Pending] = deque()
        self._working: _Pending | None = None
        """What the child has in hand; its caller may have left."""
        self._wanted = asyncio.Event()
        self._child: ChildProcess | None = None
        self.ready = False
        """Whether the child has loaded what it needs."""
        self._reason: WorkerFailure | None = None
        self._runner: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return self._child.pid if self._child else None

    def start(self) -> None:
        """Start the child now: what it loads takes long. Needs the running loop."""
        if self._runner is None:
            self._runner = asyncio.create_task(self._run())
        self._wanted.set()

    async def call(
        self,
        request: object,
        timeout: float | None = None,  # noqa: ASYNC109
        progress: Callable[[int], None] | None = None,
    ) -> Reply:
        """What the child's handler returns for `request`.

        `timeout` counts the seconds from when the child is given the call; a child that exceeds
        it is killed. `progress` hears what a job of `serve_jobs` tells. A caller that is
        cancelled is forgotten, and the child told. Raises `WorkerFailure`
        (`RequestFailed`, `QueueFull`, `WorkerDied`, `WorkerTimeout`, `WorkerClosed`).
        """
        if self._closed:
            raise WorkerClosed(f"the worker {self._module} is closed")
        if len(self._waiting) >= self._most_waiting:
            raise QueueFull(f"{self._most_waiting} calls of {self._module} are waiting already")
        raw = msgspec.Raw(msgspec.msgpack.encode(request))
        timeout = self._timeout if timeout is None else timeout
        pending = _Pending(raw, timeout, progress, asyncio.get_running_loop().create_future())
        self._waiting.append(pending)
        self.start()
        self._hand_out()
        try:
            return self._decoder.decode(await pending.future)
        except asyncio.CancelledError:
            with contextlib.suppress(ValueError):
                self._waiting.remove(pending)
            if self._working is pending and self._child:
                self._child.send(Cancel(pending.number))
            raise

    def give_up(self) -> None:
        """Kill the child over what it has in hand; the next one is started when it is wanted."""
        if self._child and self._working:
            self._reason, self._spent = WorkerTimeout(f"{self._module} was given up"), True
            self._child.kill()

    async def aclose(self) -> None:
        """End the child; calls that wait or work fail with `WorkerClosed`."""
        self._closed = True
        self._fail(WorkerClosed(f"the worker {self._module} was closed"), all_of_them=True)
        if self._runner is not None:
            self._runner.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._runner

    async def _run(self) -> None:
        """Run one child after the other, each from when it is first wanted."""
        backoff = Backoff()
        while True:
            await self._wanted.wait()
            backoff.started()
            await self._live()
            if self._spent:
                log.warning("worker_spent", module=self._module, reason=str(self._reason))
                continue
            delay = backoff.next()
            log.error("worker_ended", module=self._module, reason=str(self._reason), wait=delay)
            await asyncio.sleep(delay)

    async def _live(self) -> None:
        """The life of one child, from its start until it has ended."""
        self._reason, self._spent = None, False
        try:
            child = self._child = await self._spawn()
        except Exception as error:  # whatever it is: the callers must hear of it
            self.broken = True
            self._reason = WorkerDied(f"{self._module} cannot be started: {error}")
            self._fail(self._reason, all_of_them=True)
            self._wanted.clear()
            return
        try:
            child.send(Greeting(os.getpid(), self._memory))
            if await self._became_ready(child):
                self._hand_out()
                await self._listen(child)
        except (NotAFrame, msgspec.DecodeError) as error:
            self._reason = WorkerDied(f"{self._module} wrote what is not a frame: {error}")
        finally:
            self._child = None
            self.broken = never_ready = not self.ready
            self.ready = False
            status = await asyncio.shield(child.end())
            if self._reason is None:
                self._reason = self._death(status)
            self._spent = self._spent and not never_ready
            # Calls for a child that cannot start would wait for ever.
            self._fail(self._reason, all_of_them=never_ready)
            if not self._waiting:
                self._wanted.clear()

    def _death(self, status: int) -> WorkerFailure:
        """Why the child ended by itself, by its exit `status`."""
        # Rust's allocator aborts where it gets no more; Python's raises, see `serve`.
        if self._memory and status in (OUT_OF_MEMORY, -signal.SIGABRT):
            self._spent = True
            mebibytes = self._memory >> 20
            return WorkerOutOfMemory(f"{self._module} needed more than {mebibytes} MiB")
        self._spent = self._expendable and self._working is not None
        return WorkerDied(f"{self._module} ended with status {status}")

    async def _spawn(self) -> ChildProcess:
        starting = asyncio.ensure_future(
            ChildProcess.spawn(
                self._module,
                self._arguments,
                nice=self._nice,
                idle=self._idle,
                threads=self._threads,
                python=self._python,
            )
        )
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            await (await starting).end()  # closed in this very moment: leave no child behind
            raise

    async def _became_ready(self, child: ChildProcess) -> bool:
        try:
            async with asyncio.timeout(self._start_timeout):
                body = await child.receive()
        except TimeoutError:
            self._reason = WorkerTimeout(
                f"{self._module} was not ready within {self._start_timeout:g} s"
            )
            return False
        if body is None:
            return False
        msgspec.msgpack.decode(body, type=Ready)
        self.ready, self.broken = True, False
        return True

    async def _listen(self, child: ChildProcess) -> None:
        decoder: msgspec.msgpack.Decoder[Replied | Progressed]
        decoder = msgspec.msgpack.Decoder(Replied | Progressed)
        while (body := await child.receive()) is not None:
            answer, pending = decoder.decode(body), self._working
            if pending is None or answer.id != pending.number:
                raise NotAFrame(f"nobody asked for call {answer.id}")
            if isinstance(answer, Progressed):
                if pending.progress and not pending.future.done():
                    pending.progress(answer.done)
                continue
            self._working = None
            self._hand_out()
            if answer.error is not None:
                pending.fail(RequestFailed(answer.error))
                continue
            if pending.deadline is not None:
                pending.deadline.cancel()
            if not pending.future.done():
                pending.future.set_result(answer.reply)

    def _hand_out(self) -> None:
        """Give the child the next call, if it has none in hand."""
        while self._child and self.ready and self._waiting and self._working is None:
            pending = self._waiting.popleft()
            if pending.future.done():
                continue
            pending.number = next(self._numbers)
            try:
                self._child.send(Call(pending.number, pending.request))
            except ValueError as error:
                pending.fail(RequestFailed(str(error)))
                continue
            pending.deadline = asyncio.get_running_loop().call_later(
                pending.timeout, self._expire, self._child, pending.timeout
            )
            self._working = pending

    def _expire(self, child: ChildProcess, seconds: float) -> None:
        if self._child is child:
            self._reason = WorkerTimeout(f"{self._module} took longer than {seconds:g} s")
            self._spent = True
            child.kill()

    def _fail(self, failure: WorkerFailure, *, all_of_them: bool) -> None:
        """The call in hand fails, or with it those that wait."""
        failed = [self._working] if self._working else []
        self._working = None
        if all_of_them:
            failed += self._waiting
            self._waiting.clear()
        for each in failed:
            each.fail(type(failure)(*failure.args))


class _Pending(msgspec.Struct, eq=False):
    """A call that waits for its turn or for its reply; `timeout` in seconds."""

    request: msgspec.Raw
    timeout: float
    progress: Callable[[int], None] | None
    future: asyncio.Future[msgspec.Raw]
    number: int = -1
    deadline: asyncio.TimerHandle | None = None

    def fail(self, failure: WorkerFailure) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
        if not self.future.done():
            self.future.set_exception(failure)
