"""The supervisor's children but the engines: what keeps each of them running.

All start, watch and start again, with growing pauses.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess

import msgspec
import structlog

from xinghe.catalog import Catalog
from xinghe.settings import Settings
from xinghe.storage import LocalServer
from xinghe.supervisor.child import GATEWAY, Child, ServeError
from xinghe.supervisor.engines import Engines
from xinghe.supervisor.messages import (
    MOVED,
    EngineLocation,
    EngineThreads,
    NowServing,
    WorkerReady,
    WorkerSpec,
    encode,
)
from xinghe.workers import Backoff

log = structlog.get_logger(__name__)

DATABASE_WATCH = 0.2
SETTLING = 15.0
"""Seconds beyond delay and grace period that the gateway has for what remains to be written."""


class DatabaseProcess:
    """The local PostgreSQL, which was started before all others and is stopped after them."""

    def __init__(self, server: LocalServer) -> None:
        self._server = server

    async def run(self) -> None:
        """Watch, start again; who needs it connects again by itself."""
        backoff = Backoff()
        backoff.started()
        while True:
            await asyncio.sleep(DATABASE_WATCH)
            if (status := self._server.ended()) is None:
                continue
            delay = backoff.next()
            log.error("database_ended", status=status, restart_in=delay)
            await asyncio.sleep(delay)
            backoff.started()
            try:
                self._server.launch()
            except (OSError, KeyError, subprocess.SubprocessError) as error:
                # It has still ended, so it is tried again; the system may have room then.
                log.error("database_not_started", error=str(error))


class GatewayProcess:
    """The socket outlives the worker: while it is restarted, clients wait instead of failing.

    `first` was started already, while what it is to be told was looked up.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        listener: socket.socket,
        metrics_listener: socket.socket,
        engines: Engines,
        first: Child | None = None,
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._listener = listener
        self._metrics_listener = metrics_listener
        self._engines = engines
        self._first = first
        self._told: dict[tuple[type, str], EngineLocation | EngineThreads] = {}
        self._child: Child | None = None
        self.ready = asyncio.Event()

    def tell(self, news: EngineLocation | EngineThreads) -> None:
        """Pass on what is new of an engine, also to a worker that is yet to come."""
        self._told[type(news), news.engine] = news
        if isinstance(news, EngineLocation) and news.gone:
            for kind in (EngineLocation, EngineThreads):
                self._told.pop((kind, news.engine), None)
        if self._child is not None:
            self._child.send(encode(news))

    async def run(self) -> None:
        """Start, watch, start again, also where no process could be started.

        Raises `ServeError` if it died before it served; it has said why itself.
        """
        backoff = Backoff()
        while True:
            backoff.started()
            try:
                how = await self._start_and_watch()
            except (OSError, ValueError) as error:
                how = str(error)
                if self._child is not None:
                    self._child.kill()
                    await self._child.wait()
            self._child = None
            if how == f"status {MOVED}":
                log.info("gateway_follows_books")
                continue
            if not self.ready.is_set():
                raise ServeError(f"the gateway ended before it served ({how})")
            delay = backoff.next()
            log.error("gateway_ended", how=how, restart_in=delay)
            await asyncio.sleep(delay)

    async def stop(self) -> int:
        """Let it finish its answers within delay and grace period; its exit status."""
        self._listener.close()
        self._metrics_listener.close()
        if self._child is None:
            return 0
        server = self._settings.server
        return await self._child.stop(server.shutdown_delay + server.grace + SETTLING)

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()

    async def _start_and_watch(self) -> str:
        """One child from its start to its end; how it ended.

        Raises `OSError` if none can be started, `ValueError` for a line that cannot be read.
        """
        sockets = self._listener.fileno(), self._metrics_listener.fileno()
        self._child = child = self._first or await Child.spawn(GATEWAY, sockets)
        self._first = None
        child.send(encode(self._spec()))
        for news in self._told.values():
            child.send(encode(news))
        while line := await child.line():
            self._heard(line)
        return f"status {await child.wait()}"

    def _heard(self, line: bytes) -> None:
        try:
            said = msgspec.json.decode(line, type=WorkerReady | NowServing)
        except msgspec.DecodeError as error:
            log.warning("gateway_unreadable", error=str(error))
            return
        if isinstance(said, WorkerReady):
            self.ready.set()
        else:
            self._catalog = said.catalog
            self._engines.follow(said.engines)

    def _spec(self) -> WorkerSpec:
        return WorkerSpec(
            settings=self._settings,
            catalog=self._catalog,
            socket=self._listener.fileno(),
            metrics_socket=self._metrics_listener.fileno(),
            parent=os.getpid(),
        )
