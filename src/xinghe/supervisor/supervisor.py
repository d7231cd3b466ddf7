"""The process tree of `xinghe serve`: owns the children, restarts what dies, ends them all."""

import asyncio
import signal
import time
from collections.abc import Callable

import msgspec
import structlog

from xinghe.supervisor.children import DatabaseProcess, GatewayProcess
from xinghe.supervisor.engines import Engines

log = structlog.get_logger(__name__)

ECHO = 0.5
"""Seconds in which a second signal is the first one's echo: `make` passes on what it got too."""
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


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
