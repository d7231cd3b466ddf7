"""The gateway worker: what `worker` starts, spoken to as in `messages`."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import cast

import msgspec
import structlog
import uvicorn
import uvloop

from xinghe.api.connection import Connection
from xinghe.api.flow import MAX_WAITING_SHARE, WaitingRoom, raise_file_limit
from xinghe.app import System, running
from xinghe.catalog import Catalog
from xinghe.dispatch import Location
from xinghe.engines.llamacpp.wanted import EngineWanted
from xinghe.observe import logs, metrics
from xinghe.orphan import die_with_parent
from xinghe.storage import StorageError
from xinghe.supervisor.child import MAX_LINE
from xinghe.supervisor.messages import (
    MOVED,
    EngineLocation,
    EngineThreads,
    NowServing,
    WorkerReady,
    WorkerSpec,
    encode,
)

log = structlog.get_logger(__name__)

CLOSE = (b"connection", b"close")
MOVED_LOOK = 0.2
"""Seconds between two looks whether the books have moved."""
KEEP_ALIVE = 75
"""Seconds that an idle connection stays open: longer than the proxies in front keep theirs."""


class QuietServer(uvicorn.Server):
    """Uvicorn, but the signals are ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class GatewayServer(QuietServer):
    """The API's: `started` is called once it listens."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started()


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # until there is something to settle
    sys.exit(uvloop.run(_work()))


async def _work() -> int:
    loop, control = asyncio.get_running_loop(), asyncio.StreamReader(limit=MAX_LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(control), sys.stdin)
    told, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, sys.stdout)
    if not (line := await control.readline()):
        return 0  # whoever started it has found that there is nothing to serve
    spec = msgspec.json.decode(line, type=WorkerSpec)
    die_with_parent(spec.parent)
    for descriptor in (spec.socket, spec.metrics_socket):
        os.set_inheritable(descriptor, False)  # to be passed on to this process, and to no further
    logs.configure(spec.settings.log.level, spec.settings.log.format)

    def tell(catalog: Catalog, engines: Sequence[EngineWanted]) -> None:
        told.write(encode(NowServing(catalog, [*engines])))

    def started() -> None:
        told.write(encode(WorkerReady(os.getpid())))

    try:
        async with running(spec.settings, spec.catalog, tell) as system:
            has_moved = await _serve(system, spec, control, started)
    except StorageError as error:
        log.error("database", error=str(error))
        return 1
    return MOVED if has_moved else 0


async def _serve(
    system: System,
    spec: WorkerSpec,
    control: asyncio.StreamReader,
    started: Callable[[], None],
) -> bool:
    """Until it is told to stop, or (True) its books have moved and it is to begin anew there."""
    room = WaitingRoom(round(raise_file_limit() * MAX_WAITING_SHARE))
    limits = spec.settings.server
    connection = partial(Connection, room, limits.head_timeout, limits.stall_timeout)
    config = uvicorn.Config(
        system.app,
        http=cast("type[asyncio.Protocol]", connection),
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=round(limits.grace),
    )
    server = GatewayServer(config, started)

    def stop() -> None:
        system.readiness.stopping = True
        server.should_exit = True

    def leave() -> None:
        """Serve on until whoever distributes the requests has seen that no more are wanted."""
        system.readiness.stopping = True
        config.encoded_headers.append(CLOSE)  # of which it makes the default ones every second
        server.server_state.default_headers = [*server.server_state.default_headers, CLOSE]
        asyncio.get_running_loop().call_later(limits.shutdown_delay, stop)

    told_to_stop = leave if limits.shutdown_delay else stop
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told_to_stop)
    listening = asyncio.create_task(_hear(system, control, stop))
    moving = asyncio.create_task(_follow_books(system, stop))
    metrics_server = _metrics_server(system)
    measured = asyncio.create_task(
        metrics_server.serve([socket.socket(fileno=spec.metrics_socket)])
    )
    try:
        await server.serve([socket.socket(fileno=spec.socket)])
    finally:
        listening.cancel()
        has_moved = moving.done() and moving.exception() is None
        moving.cancel()
        metrics_server.should_exit = True
        await measured
    return has_moved


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


async def _follow_books(system: System, stop: Callable[[], None]) -> None:
    """Return when the books have moved, and end what serves by the old ones."""
    while True:
        with contextlib.suppress(StorageError):
            if await system.readiness.has_moved():
                break
        await asyncio.sleep(MOVED_LOOK)
    log.info("books_moved")
    stop()


async def _hear(system: System, control: asyncio.StreamReader, stop: Callable[[], None]) -> None:
    """Follow the engines as the supervisor tells of them; its silence is the end."""
    while line := await control.readline():
        news = msgspec.json.decode(line, type=EngineLocation | EngineThreads)
        if isinstance(news, EngineLocation):
            said = news.address, news.key, news.special, news.pid, news.broken, news.switch
            system.live.locate(news.engine, Location(*said))
        elif system.live.serves(news.engine):
            metrics.ENGINE_THREADS.labels(news.deployment).set(news.threads)
            metrics.ENGINE_SPEED.labels(news.deployment, "read").set(news.reads)
            metrics.ENGINE_SPEED.labels(news.deployment, "written").set(news.writes)
            system.readiness.engines[news.deployment] = news
    stop()
