"""A model file that is loaded by an engine of its own, only to be tried."""

from __future__ import annotations

import asyncio
import re
import secrets
import tempfile
from pathlib import Path
from types import TracebackType

import msgspec

from xinghe.catalog import LlamaCppDeployment
from xinghe.engines.llamacpp.child import ChildReady
from xinghe.engines.llamacpp.engine import LlamaCppEngine
from xinghe.settings import Settings
from xinghe.sources.source import SourceError
from xinghe.supervisor.child import Child
from xinghe.supervisor.engines import ENGINE, child_spec
from xinghe.supervisor.messages import encode

A_SECOND = 50_000_000
"""Bytes of weights that are read in a second, at the least."""
KILLED = -9
SAYS_WHY = re.compile(r"error loading model: (.+)|(unknown model architecture.+)|(invalid .+)")
MOST_SHOWN = 300


class Loaded:
    """As a context manager: the engine of a child that has loaded the file; the child ends with it.

    `limit` seconds and what its size takes may pass. Raises `SourceError`.
    """

    def __init__(
        self, name: str, spec: LlamaCppDeployment, file: Path, settings: Settings, limit: float
    ) -> None:
        self._file = file
        self._spec = spec
        self._embedded = settings.embedded
        self._limit = limit + file.stat().st_size / A_SECOND
        self._engine = LlamaCppEngine(f"{name}/{file.stem}", spec)
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the child
        self._child: Child | None = None

    async def __aenter__(self) -> LlamaCppEngine:
        try:
            return await self._started()
        except BaseException:
            await self._end()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._end()

    async def _started(self) -> LlamaCppEngine:
        key = secrets.token_urlsafe(24)
        self._child = child = await Child.spawn(ENGINE, errors=self._said)
        child.send(encode(child_spec(self._spec, self._file, self._embedded, key)))
        try:
            async with asyncio.timeout(self._limit):
                line = await child.line()
        except TimeoutError:
            raise SourceError(
                f"{self._file.name} was not loaded within {self._limit:.0f} s (--try-timeout)"
            ) from None
        if not line:
            raise SourceError(self._why(await child.wait()))
        ready = msgspec.json.decode(line, type=ChildReady)
        self._engine.locate(ready.address, key, ready.special, child.pid, switch=ready.switch)
        return self._engine

    async def _end(self) -> None:
        await self._engine.aclose()
        if self._child is not None:
            self._child.kill()
            await self._child.wait()
        self._said.close()

    def _why(self, status: int) -> str:
        """Why the child has ended: what llama.cpp said last."""
        if status == KILLED:
            return f"{self._file.name} was killed while it was loaded: too little memory, probably"
        self._said.seek(0)
        said = self._said.read().decode("utf-8", "replace")
        found = [next(filter(None, each)) for each in SAYS_WHY.findall(said)]
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        reason = found[-1] if found else lines[-1] if lines else f"it ended with status {status}"
        return f"{self._file.name} cannot be loaded: {reason[:MOST_SHOWN]}"
