"""Keeps the gateway worker running behind one listening socket."""

from __future__ import annotations

import asyncio
import os
import socket

import structlog

from xinghe.catalog.load import Catalog
from xinghe.settings import Settings
from xinghe.supervisor.child import Child
from xinghe.supervisor.messages import EngineLocation, WorkerSpec, encode
from xinghe.workers import Backoff

log = structlog.get_logger(__name__)

MODULE = "xinghe.supervisor.worker"
SETTLING = 15.0
"""Seconds beyond the grace period for what remains to be written."""


class GatewayWontStart(Exception):
    """The worker died before it ever served; it has said why itself."""


class GatewayKeeper:
    """The socket outlives the worker: while it is restarted, clients wait instead of failing."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        listener: socket.socket,
        metrics_listener: socket.socket,
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._listener = listener
        self._metrics_listener = metrics_listener
        self._locations: dict[str, EngineLocation] = {}
        self._child: Child | None = None
        self.ready = asyncio.Event()

    def tell(self, location: EngineLocation) -> None:
        """Pass on where an engine listens, also to a worker that is yet to come."""
        self._locations[location.deployment] = location
        if self._child is not None:
            self._child.send(encode(location))

    async def run(self) -> None:
        """Start, watch, start again. Raises `GatewayWontStart`."""
        backoff = Backoff()
        while True:
            backoff.started()
            self._child = child = await Child.spawn(
                MODULE,
                encode(self._spec()),
                (self._listener.fileno(), self._metrics_listener.fileno()),
            )
            for location in self._locations.values():
                child.send(encode(location))
            if await child.line():
                self.ready.set()
            status = await child.wait()
            self._child = None
            if not self.ready.is_set():
                raise GatewayWontStart(f"the gateway ended before it served (status {status})")
            delay = backoff.next()
            log.error("gateway_ended", status=status, restart_in=delay)
            await asyncio.sleep(delay)

    async def stop(self) -> int:
        """Let it finish its answers within the grace period; its exit status."""
        self._listener.close()
        self._metrics_listener.close()
        if self._child is None:
            return 0
        return await self._child.stop(self._settings.server.grace + SETTLING)

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()

    def _spec(self) -> WorkerSpec:
        return WorkerSpec(
            settings=self._settings,
            catalog=self._catalog,
            socket=self._listener.fileno(),
            metrics_socket=self._metrics_listener.fileno(),
            parent=os.getpid(),
        )
