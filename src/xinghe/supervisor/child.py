"""One child process: spawned from the main thread, spoken to by lines, ended for certain."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process

MAX_LINE = 16 * 1024 * 1024
"""Bytes: an engine tells all special tokens of its model in one line."""


class Child:
    """A Python module as a process of its own, in a process group of its own.

    Of its own, because Ctrl-C is for the supervisor alone: it takes the others down in order.
    """

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def spawn(cls, module: str, first_line: bytes, sockets: tuple[int, ...] = ()) -> Child:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            stdin=PIPE,
            stdout=PIPE,
            pass_fds=sockets,
            process_group=0,
            limit=MAX_LINE,
        )
        child = cls(process)
        child.send(first_line)
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

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

    async def stop(self, patience: float) -> int:
        """Ask it to end, and after `patience` seconds make it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(patience):
                return await self._process.wait()
        except TimeoutError:
            self.kill()
            return await self._process.wait()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
