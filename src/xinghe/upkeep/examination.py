"""What `xinghe doctor` finds, asked by the service that runs."""

from __future__ import annotations

import asyncio
import time
from typing import Literal

import msgspec

from xinghe.settings import Settings
from xinghe.storage import now
from xinghe.upkeep.command import Run, run

LONGEST = 60.0
"""Seconds: a library on a slow disk, or a database that hangs."""
LASTS = 10.0
"""Seconds for which what was found is told again."""


class Check(msgspec.Struct, frozen=True):
    """What was found; `mend` is one line to run or to do, empty where all is well."""

    name: str
    status: Literal["ok", "warn", "fail"]
    text: str
    mend: str = ""


class _Told(msgspec.Struct):
    """What the command prints with `--json`."""

    checks: list[Check]


class Examined(msgspec.Struct, frozen=True):
    """`at` is in microseconds UTC."""

    at: int
    checks: list[Check]


class Examination:
    """One at a time: whoever asks meanwhile is told what that finds."""

    def __init__(self, settings: Settings, run: Run = run) -> None:
        self._settings = settings
        self._run = run
        self._task: asyncio.Task[Examined] | None = None
        self._until = 0.0
        """Until when what was found last is told again."""

    async def examine(self) -> Examined:
        task = self._task
        if task is None or (task.done() and time.monotonic() >= self._until):
            task = self._task = asyncio.create_task(self._examined())
        return await asyncio.shield(task)

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _examined(self) -> Examined:
        settings, url = self._settings, self._settings.database.url
        arguments = ["doctor", "--running", "--json", "--data", str(settings.data_dir)]
        environment = {"XINGHE_DATABASE__URL": url} if url else {}
        try:
            ended = await self._run(*arguments, within=LONGEST, environment=environment)
            checks = msgspec.json.decode(ended.out, type=_Told).checks
        except TimeoutError:
            checks = [_unable(f"it has not ended within {LONGEST:.0f} s")]
        except OSError as error:
            checks = [_unable(f"it cannot be started: {error.strerror or error}")]
        except msgspec.DecodeError:
            said = (ended.err or ended.out).splitlines()
            checks = [_unable(said[-1][:500] if said else f"it ended with {ended.status}")]
        self._until = time.monotonic() + LASTS
        return Examined(now(), checks)


def _unable(why: str) -> Check:
    return Check("doctor", "warn", why, "xinghe doctor")
