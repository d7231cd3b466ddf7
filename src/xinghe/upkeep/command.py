"""A command of our own, in a process beside the service, which goes before it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from typing import Protocol

import msgspec

NICE = 10
LEAVING = 10.0
"""Seconds that an interrupted command has to clear up after itself."""
MOST = 256 * 1024
"""Characters that are kept of what it says."""


class Ended(msgspec.Struct, frozen=True):
    """Its exit status, and what it said on its standard output and error."""

    status: int
    out: str
    err: str


class Run(Protocol):
    """Runs a command; raises `TimeoutError` after `within` seconds, and then it has ended."""

    async def __call__(
        self, *arguments: str, within: float, environment: Mapping[str, str]
    ) -> Ended: ...


async def run(*arguments: str, within: float, environment: Mapping[str, str]) -> Ended:
    """`xinghe` with these arguments, its environment with these variables."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "xinghe",
        *arguments,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        env={**os.environ, **environment},
    )
    try:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
        async with asyncio.timeout(within):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            await asyncio.shield(_ended(process))
    assert process.returncode is not None
    return Ended(process.returncode, _text(out), _text(err))


async def _ended(process: Process) -> None:
    """Interrupt it as Ctrl-C does: it takes away what it has half made, and ends its own."""
    for sign in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(sign)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVING):
                await process.wait()
                return


def _text(said: bytes) -> str:
    return said.decode("utf-8", "replace").strip()[:MOST]
