"""The gateway worker: `python -m xinghe.supervisor.worker`, spoken to as in `messages`."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Generator
from functools import partial
from typing import cast

import msgspec
import structlog
import uvicorn
import uvloop

from xinghe.api.connection import Connection
from xinghe.api.flow import MAX_WAITING_SHARE, WaitingRoom, raise_file_limit
from xinghe.app import System, running
from xinghe.observe import logs, metrics
from xinghe.orphan import die_with_parent
from xinghe.storage import StorageError
from xinghe.supervisor.messages import (
    MAX_LINE,
    EngineLocation,
    EngineThreads,
    WorkerReady,
    WorkerSpec,
    encode,
)

log = structlog.get_logger(__name__)

KEEP_ALIVE = 75
"""Seconds that an idle connection stays open: longer than the proxies in front keep theirs."""


class QuietServer(uvicorn.Server):
    """Uvicorn, but the signals are ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class GatewayServer(QuietServer):
    """The API's: its start is announced to the supervisor."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.buffer.write(encode(WorkerReady(os.getpid())))
        sys.stdout.buffer.flush()


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # until there is something to settle
    sys.exit(uvloop.run(_work()))


async def _work() -> int:
    control = asyncio.StreamReader(limit=MAX_LINE)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(control), sys.stdin
    )
    spec = msgspec.json.decode(await control.readline(), type=WorkerSpec)
    die_with_parent(spec.parent)
    for descriptor in (spec.socket, spec.metrics_socket):
        os.set_inheritable(descriptor, False)  # to be passed on to this process, and to no further
    logs.configure(spec.settings.log.level, spec.settings.log.format)
    try:
        async with running(spec.settings, spec.catalog) as system:
            await _serve(system, spec, control)
    except StorageError as error:
        log.error("database", error=str(error))
        return 1
    return 0


async def _serve(system: System, spec: WorkerSpec, control: asyncio.StreamReader) -> None:
    room = WaitingRoom(round(raise_file_limit() * MAX_WAITING_SHARE))
    limits = spec.settings.server
    connection = partial(Connection, room, limits.head_timeout, limits.stall_timeout)
    server = GatewayServer(
        uvicorn.Config(
            system.app,
            http=cast("type[asyncio.Protocol]", connection),
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=round(spec.settings.server.grace),
        )
    )

    def stop() -> None:
        system.readiness.stopping = True
        server.should_exit = True

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    listening = asyncio.create_task(_hear(system, control, stop))
    metrics_server = _metrics_server(system)
    measured = asyncio.create_task(
        metrics_server.serve([socket.socket(fileno=spec.metrics_socket)])
    )
    try:
        await server.serve([socket.socket(fileno=spec.socket)])
    finally:
        listening.cancel()
        metrics_server.should_exit = True
        await measured


def _metrics_server(system: System) -> uvicorn.Server:
    """Lives until the last answer is out, so that a shutdown can be watched."""
    return QuietServer(
        uvicorn.Config(
            system.metrics_app,
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )


async def _hear(system: System, control: asyncio.StreamReader, stop: Callable[[], None]) -> None:
    """Follow the engines as the supervisor tells of them; its silence is the end."""
    while line := await control.readline():
        news = msgspec.json.decode(line, type=EngineLocation | EngineThreads)
        if isinstance(news, EngineThreads):
            metrics.ENGINE_THREADS.labels(news.deployment).set(news.threads)
            metrics.ENGINE_SPEED.labels(news.deployment, "read").set(news.reads)
            metrics.ENGINE_SPEED.labels(news.deployment, "written").set(news.writes)
            system.readiness.engines[news.deployment] = news
        else:
            engine = system.deployments.embedded(news.deployment)
            engine.locate(news.address, news.key, news.special, news.pid)
    stop()


if __name__ == "__main__":
    main()
