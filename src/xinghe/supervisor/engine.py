"""Keeps one embedded engine running, and says where it listens."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from xinghe.catalog.card import LlamaCppDeployment
from xinghe.engines.llamacpp.child import ChildReady, ChildSpec
from xinghe.pictures.cost import MAX_TOKENS
from xinghe.settings import Embedded
from xinghe.supervisor.child import Child
from xinghe.supervisor.messages import EngineLocation, encode
from xinghe.workers import Backoff

log = structlog.get_logger(__name__)

MODULE = "xinghe.engines.llamacpp.child"
STARTS_TRIED = 3
PATIENCE = 3.0


class EngineWontStart(Exception):
    """The engine died several times before it was ever ready."""


class EngineKeeper:
    """One child a deployment; `announce` hears of every change."""

    def __init__(
        self,
        name: str,
        deployment: LlamaCppDeployment,
        weights: Path,
        embedded: Embedded,
        announce: Callable[[EngineLocation], None],
    ) -> None:
        self._name = name
        self._deployment = deployment
        self._weights = weights
        self._embedded = embedded
        self._announce = announce
        self._child: Child | None = None
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Start, watch, start again. Raises `EngineWontStart`."""
        backoff = Backoff()
        failures = 0
        while True:
            backoff.started()
            key = secrets.token_urlsafe(24)
            self._child = child = await Child.spawn(MODULE, encode(self._spec(key)))
            line = await child.line()
            if line:
                started = msgspec.json.decode(line, type=ChildReady)
                failures = 0
                log.info("engine_ready", deployment=self._name, threads=started.threads)
                self._announce(EngineLocation(self._name, started.address, key, started.special))
                self.ready.set()
            status = await child.wait()
            self._announce(EngineLocation(self._name, None))
            failures += not line
            if failures >= STARTS_TRIED and not self.ready.is_set():
                raise EngineWontStart(
                    f"the engine of deployment {self._name} ended {failures} times before it was "
                    f"ready (status {status}, model file {self._weights}{self._projector()})"
                )
            delay = backoff.next()
            log.error("engine_ended", deployment=self._name, status=status, restart_in=delay)
            await asyncio.sleep(delay)

    async def stop(self) -> None:
        if self._child is not None:
            await self._child.stop(PATIENCE)

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()

    def _projector(self) -> str:
        projector = self._deployment.projector
        return f", mmproj {projector}" if projector else ""

    def _spec(self, key: str) -> ChildSpec:
        return ChildSpec(
            weights=str(self._weights),
            mmproj=str(self._deployment.projector or ""),
            picture_tokens=MAX_TOKENS,
            context=self._deployment.context,
            slots=self._deployment.slots,
            threads=self._embedded.threads,
            repack=self._embedded.repack,
            key=key,
            parent=os.getpid(),
        )
