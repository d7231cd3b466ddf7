"""The child process itself: how it is started, read and ended, and when the next one may start."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from subprocess import PIPE
from typing import IO

import structlog

from xinghe.workers.protocol import LENGTH, body_length, encode

log = structlog.get_logger(__name__)

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "ORT_NUM_THREADS",
)
LINE = 4096
"""Characters of a line of standard error that reach the log."""
FIRST, LAST = 0.2, 30.0
"""Seconds: the shortest and the longest wait before a child that died is started again."""
STEADY = 60.0
"""A child that lived this many seconds was well: the next wait is the first again."""


class ChildProcess:
    """`python -m <module>`, spoken to in frames."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        module: str,
        stdin: asyncio.WriteTransport,
        stdout: asyncio.StreamReader,
        stderr: asyncio.StreamReader,
    ) -> None:
        self._process = process
        self._module = module
        self._stdin, self._stdout, self._stderr = stdin, stdout, stderr
        self._listening = asyncio.create_task(self._log_stderr())

    @classmethod
    async def spawn(
        cls,
        module: str,
        arguments: Sequence[str],
        *,
        nice: int,
        idle: bool,
        threads: int,
        python: str,
    ) -> ChildProcess:
        """Start it. Call from the main thread: the child dies with the thread that forked it."""
        environment = dict(os.environ)
        environment.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
        environment["OMP_WAIT_POLICY"] = "PASSIVE"  # spinning threads would take others' cores
        # `Popen` forks without a copy of our memory's tables (vfork). The loop's own way copies
        # them, and holds everybody up for tens of milliseconds.
        process = subprocess.Popen(  # noqa: ASYNC220, S603 - it returns after a millisecond
            [python or sys.executable, "-m", module, *arguments],
            bufsize=0,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            # Not in a session of its own: on Linux that is a scheduling group of its own, and
            # being nice counts only inside the group.
            env=environment,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            _yield_to_others(process.pid, nice, idle)
            loop = asyncio.get_running_loop()
            stdin, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, process.stdin)
            said = [await _reader(process.stdout), await _reader(process.stderr)]
        except BaseException:
            process.kill()
            raise
        return cls(process, module, stdin, *said)

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, frame: object) -> None:
        """Raises `ValueError` for a frame that is too long; a dead child does not mind."""
        data = encode(frame)
        with contextlib.suppress(ConnectionError, RuntimeError):
            self._stdin.write(data)

    async def receive(self) -> bytes | None:
        """The body of the next frame; `None` when the child has ended. Raises `NotAFrame`."""
        try:
            length = body_length(await self._stdout.readexactly(LENGTH))
            return await self._stdout.readexactly(length)
        except asyncio.IncompleteReadError:
            return None

    def kill(self) -> None:
        # Not `Process.kill`: that would reap a child that has just died, and its status be lost.
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def end(self) -> int:
        """Kill it if it still lives; its exit status, negative for a signal."""
        self.kill()
        status = await asyncio.to_thread(self._process.wait)
        self._stdin.close()
        # A grandchild may hold the pipe open: what was said before the end is enough.
        await asyncio.wait((self._listening,), timeout=0.2)
        self._listening.cancel()
        return status

    async def _log_stderr(self) -> None:
        while True:
            try:
                line = await self._stderr.readline()
            except ValueError:  # longer than the reader's limit: it has been dropped
                continue
            if not line:
                return
            said = line.decode("utf-8", "replace").rstrip()[:LINE]
            if said:
                log.warning("worker_said", module=self._module, pid=self.pid, line=said)


class Backoff:
    """How long to wait before the next child: it doubles from one early death to the next."""

    def __init__(self) -> None:
        self._delay = FIRST
        self._started = 0.0

    def started(self) -> None:
        self._started = time.monotonic()

    def next(self) -> float:
        """Seconds to wait now that the child has died."""
        if time.monotonic() - self._started > STEADY:
            self._delay = FIRST
        delay, self._delay = self._delay, min(self._delay * 2, LAST)
        return delay


async def _reader(pipe: IO[bytes]) -> asyncio.StreamReader:
    """What a child says there; its transport closes the pipe."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader


def _yield_to_others(pid: int, nice: int, idle: bool) -> None:
    """Lower the priority of a process that has just been forked."""
    with contextlib.suppress(OSError):  # it has died already, or the system forbids it
        if nice:
            os.setpriority(os.PRIO_PROCESS, pid, nice)
        if idle and hasattr(os, "SCHED_IDLE"):
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
