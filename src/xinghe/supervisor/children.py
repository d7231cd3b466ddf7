"""The supervisor's children: a process spoken to by lines, and what keeps one running.

Both start, watch and start again, with growing pauses.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import structlog
from msgspec.structs import asdict, replace

from xinghe.catalog import Catalog, LlamaCppDeployment
from xinghe.engines.llamacpp.admission import with_spare
from xinghe.engines.llamacpp.child import ChildReady, ChildSpec, ChildSpeed, ChildThreads
from xinghe.pictures import MAX_IMAGE_TOKENS
from xinghe.settings import Embedded, Settings
from xinghe.storage import LocalServer
from xinghe.supervisor.messages import MAX_LINE, EngineLocation, EngineThreads, WorkerSpec, encode
from xinghe.workers import Backoff

log = structlog.get_logger(__name__)

ENGINE = "xinghe.engines.llamacpp.child"
GATEWAY = "xinghe.supervisor.worker"
STARTS_TRIED = 3
STOP_GRACE = 3.0
"""Seconds that an engine has to end."""
MEASURING = 5.0
"""Seconds that an engine has to measure itself: a start waits no longer for it."""
DATABASE_WATCH = 0.2
SETTLING = 15.0
"""Seconds beyond the grace period that the gateway has for what remains to be written."""


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


class EngineProcess:
    """One child a deployment; `announce` hears of every change."""

    def __init__(
        self,
        name: str,
        deployment: LlamaCppDeployment,
        weights: Path,
        embedded: Embedded,
        announce: Callable[[EngineLocation | EngineThreads], None],
    ) -> None:
        self._name = name
        self._deployment = deployment
        self._weights = weights
        self._embedded = embedded
        self._announce = announce
        self._child: Child | None = None
        self._measured = asyncio.Event()
        self.state = EngineThreads(name, 0, "")
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Start, watch, start again.

        Raises `ServeError` if it died several times before it was ready.
        """
        backoff = Backoff()
        failures = 0
        while True:
            backoff.started()
            key = secrets.token_urlsafe(24)
            self._child = child = await Child.spawn(ENGINE, encode(self._spec(key)))
            line = await child.line()
            if line:
                started = msgspec.json.decode(line, type=ChildReady)
                failures = 0
                chosen = {"threads": started.threads, "why": started.why}
                log.info("engine_ready", deployment=self._name, **chosen, adapts=started.adapts)
                self._announce(
                    EngineLocation(self._name, started.address, key, started.special, child.pid)
                )
                self._state(chosen)
                self.ready.set()
            while news := await child.line():
                self._heard(news)
            status = await child.wait()
            self._announce(EngineLocation(self._name, None))
            self._state({"threads": 0, "why": "not running"})
            failures += not line
            if failures >= STARTS_TRIED and not self.ready.is_set():
                raise ServeError(
                    f"the engine of deployment {self._name} ended {failures} times before it was "
                    f"ready (status {status}, model file {self._weights}{self._projector()})"
                )
            delay = backoff.next()
            log.error("engine_ended", deployment=self._name, status=status, restart_in=delay)
            await asyncio.sleep(delay)

    async def measure(self) -> None:
        """Have it measured how fast it reads and writes; a slow one is not waited for."""
        if self._child is not None:
            self._child.send(b"measure\n")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(MEASURING):
                    await self._measured.wait()

    async def stop(self) -> None:
        if self._child is not None:
            await self._child.stop(STOP_GRACE)

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()

    def _heard(self, line: bytes) -> None:
        """What a running child says: that it changed its threads, or how fast it is."""
        news = msgspec.json.decode(line, type=ChildThreads | ChildSpeed)
        self._state(asdict(news))
        if isinstance(news, ChildSpeed):
            log.info("engine_measured", deployment=self._name, **asdict(news))
            self._measured.set()
        else:
            log.info("engine_threads", deployment=self._name, **asdict(news))

    def _state(self, changes: Mapping[str, Any]) -> None:
        self.state = replace(self.state, **changes)
        self._announce(self.state)

    def _projector(self) -> str:
        projector = self._deployment.projector
        return f", mmproj {projector}" if projector else ""

    def _spec(self, key: str) -> ChildSpec:
        slots, context = with_spare(self._deployment.slots, self._deployment.context)
        return ChildSpec(
            weights=str(self._weights),
            mmproj=str(self._deployment.projector or ""),
            picture_tokens=MAX_IMAGE_TOKENS,
            context=context,
            slots=slots,
            threads=self._embedded.threads,
            repack=self._embedded.repack,
            key=key,
            parent=os.getpid(),
        )


class DatabaseProcess:
    """The local PostgreSQL, which was started before all others and is stopped after them."""

    def __init__(self, server: LocalServer) -> None:
        self._server = server

    async def run(self) -> None:
        """Watch, start again; who needs it connects again by itself. Raises `OSError`."""
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
            self._server.launch()


class GatewayProcess:
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
        self._told: dict[tuple[type, str], EngineLocation | EngineThreads] = {}
        self._child: Child | None = None
        self.ready = asyncio.Event()

    def tell(self, news: EngineLocation | EngineThreads) -> None:
        """Pass on what is new of an engine, also to a worker that is yet to come."""
        self._told[type(news), news.deployment] = news
        if self._child is not None:
            self._child.send(encode(news))

    async def run(self) -> None:
        """Start, watch, start again.

        Raises `ServeError` if it died before it served; it has said why itself.
        """
        backoff = Backoff()
        while True:
            backoff.started()
            self._child = child = await Child.spawn(
                GATEWAY,
                encode(self._spec()),
                (self._listener.fileno(), self._metrics_listener.fileno()),
            )
            for news in self._told.values():
                child.send(encode(news))
            if await child.line():
                self.ready.set()
            status = await child.wait()
            self._child = None
            if not self.ready.is_set():
                raise ServeError(f"the gateway ended before it served (status {status})")
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
