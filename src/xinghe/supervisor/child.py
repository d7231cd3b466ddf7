"""A child of the supervisor: a Python module as a process, spoken to by lines."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from typing import IO

MAX_LINE = 16 * 1024 * 1024
"""Bytes: an engine tells all special tokens of its model in one line."""
GATEWAY = "xinghe.supervisor.worker"


class ServeError(Exception):
    """The service cannot start; the message says what to do about it."""


class Child:
    """A Python module as a process of its own, in a process group of its own.

    Of its own, because Ctrl-C is for the supervisor alone: it takes the others down in order.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self.pid = process.pid

    @classmethod
    async def spawn(
        cls,
        module: str,
        sockets: tuple[int, ...] = (),
        errors: IO[bytes] | None = None,
    ) -> Child:
        """Start it; what it says on standard error goes where ours goes, or to `errors`."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            stdin=PIPE,
            stdout=PIPE,
            stderr=errors,
            pass_fds=sockets,
            process_group=0,
            limit=MAX_LINE,
        )
        return cls(process)

    def send(self, line: bytes) -> None:
        """Write a line; a child that is dead does not mind."""
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError, RuntimeError):
            self._process.stdin.write(line)

    async def line(self) -> bytes:
        """The next line it says; empty when it has ended."""
        assert self._process.stdout is not None
        return await self._process.stdout.readline()

    async def wait(self) -> int:
        """Its exit status; negative for a signal."""
        return await self._process.wait()

    async def stop(self, grace: float) -> int:
        """Ask it to end, and after `grace` seconds make it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(grace):
                return await self._process.wait()
        except TimeoutError:
            self.kill()
            return await self._process.wait()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
