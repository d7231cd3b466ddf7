"""The process tree of `xinghe serve`: owns the children, restarts what dies, ends them all."""

import asyncio
import fcntl
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from xinghe.settings import Server
from xinghe.supervisor.child import ServeError
from xinghe.supervisor.children import DatabaseProcess, GatewayProcess
from xinghe.supervisor.engines import Engines
from xinghe.supervisor.whereabouts import LOCK

log = structlog.get_logger(__name__)

BACKLOG = 2048
MAX_PORT = 65535
ECHO = 0.5
"""Seconds in which a second signal is the first one's echo: `make` passes on what it got too."""
LOCK_TRIES, LOCK_PAUSE = 5, 0.05
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def listen(host: str, port: int) -> socket.socket:
    """The socket that clients connect to. Raises `ServeError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        both = host == "::" and socket.has_dualstack_ipv6()
        return socket.create_server(
            (host, port), family=family, backlog=BACKLOG, dualstack_ipv6=both
        )
    except (OSError, OverflowError) as error:
        raise ServeError(
            f"cannot listen on {host} port {port}: {error}; "
            "choose another with --port or --metrics-port"
        ) from error


def listen_for_metrics(server: Server, port: int) -> socket.socket:
    """The socket of `/metrics`, beside an API on `port`. Raises `ServeError`."""
    if server.metrics_port is not None:
        return listen(server.metrics_host, server.metrics_port)
    try:
        return listen(server.metrics_host, min(port + 1, MAX_PORT))
    except ServeError:
        return listen(server.metrics_host, 0)


def lock_data(data: Path) -> int:
    """Take the data directory for this service: SQLite carries one gateway. Raises `ServeError`."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(data / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    for _ in range(LOCK_TRIES):  # a command that looks who has it has it for a moment
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_PAUSE)
        else:
            os.truncate(descriptor, 0)
            return descriptor
    os.close(descriptor)
    raise ServeError(
        f"another `xinghe serve` uses {data}; several gateways on one data directory need "
        "PostgreSQL and Valkey, so choose another directory with --data"
    )


class Supervisor(msgspec.Struct):
    """Runs until it is told to stop. Make and run it in the main thread: see `xinghe.orphan`."""

    gateway: GatewayProcess
    engines: Engines
    when_ready: Callable[[], None]
    database: DatabaseProcess | None = None
    stop: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    told_at: float | None = None

    async def run(self) -> int:
        """The exit status of the service. Raises `ServeError`."""
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # under nohup it shall outlive its terminal
            loop.add_signal_handler(number, self._told_to_stop)
        running = [
            asyncio.create_task(self.gateway.run()),
            asyncio.create_task(self.engines.run(self.gateway.tell)),
        ]
        watched = [] if self.database is None else [asyncio.create_task(self.database.run())]
        ready = asyncio.create_task(self._announce())
        stop = asyncio.create_task(self.stop.wait())
        try:
            await asyncio.wait({stop, *running, *watched}, return_when=asyncio.FIRST_COMPLETED)
            failed = [task for task in (*running, *watched) if task.done()]
            if failed:
                failed[0].result()
        finally:
            for task in (ready, stop, *running):
                task.cancel()
            await asyncio.gather(ready, stop, *running, return_exceptions=True)
            status = await self._end_all()
            for task in watched:  # what is settled last needs the database
                task.cancel()
        return status

    async def _announce(self) -> None:
        await self.gateway.ready.wait()
        await self.engines.ready()
        self.when_ready()

    async def _end_all(self) -> int:
        """The gateway first: its streams need the engines until they are finished."""
        log.info("stopping")
        status = await self.gateway.stop()
        await self.engines.stop()
        log.info("stopped", gateway_status=status)
        return 0 if status == 0 else 1

    def _told_to_stop(self) -> None:
        now = time.monotonic()
        if self.told_at is None:
            self.told_at = now
            self.stop.set()
        elif now - self.told_at > ECHO:  # told twice: at once, then
            self.gateway.kill()
            self.engines.kill()
