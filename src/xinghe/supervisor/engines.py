"""The embedded engines: one child for each that the gateway wants, started and stopped with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import structlog
from msgspec.structs import asdict, replace

from xinghe.catalog import LlamaCppDeployment
from xinghe.engines.llamacpp.admission import with_spare
from xinghe.engines.llamacpp.child import ChildReady, ChildSpec, ChildSpeed, ChildThreads
from xinghe.engines.llamacpp.wanted import EngineWanted
from xinghe.pictures import MAX_IMAGE_TOKENS
from xinghe.settings import Embedded, Settings
from xinghe.supervisor.child import Child, ServeError
from xinghe.supervisor.messages import EngineLocation, EngineThreads, encode
from xinghe.weights import WeightsError, find
from xinghe.workers import Backoff

log = structlog.get_logger(__name__)

ENGINE = "xinghe.engines.llamacpp.child"
STARTS_TRIED = 3
STOP_GRACE = 3.0
"""Seconds that an engine has to end."""
LOOK_SECONDS = 1.0
"""Between two looks for a model file that is not here."""
MEASURING = 5.0
"""Seconds that an engine has to measure itself: a start waits no longer for it."""

Announce = Callable[[EngineLocation | EngineThreads], None]


def _nobody(_: EngineLocation | EngineThreads) -> None:
    """Who hears of nothing."""


def child_spec(spec: LlamaCppDeployment, weights: Path, embedded: Embedded, key: str) -> ChildSpec:
    """What the child of an engine is told: `weights` is its model file, `key` guards its port."""
    slots, context = with_spare(spec.slots, spec.context)
    return ChildSpec(
        weights=str(weights),
        mmproj=str(spec.projector or ""),
        picture_tokens=MAX_IMAGE_TOKENS,
        context=context,
        slots=slots,
        threads=embedded.threads,
        repack=embedded.repack,
        key=key,
        parent=os.getpid(),
    )


class EngineProcess:
    """One child for what is wanted; `announce` hears of every change."""

    def __init__(self, wanted: EngineWanted, settings: Settings, announce: Announce) -> None:
        self._wanted = wanted
        self._id = wanted.id
        self._name = wanted.deployment
        self._settings = settings
        self._announce = announce
        self._child: Child | None = None
        self._measured = asyncio.Event()
        self._began = False
        self.state = EngineThreads(self._id, self._name, 0, "")
        self.ready = asyncio.Event()

    async def run(self, tries: int | None = None) -> None:
        """Start, watch, start again, also where no process could be started.

        Raises `ServeError` if that failed so many times before it was ready.
        """
        backoff = Backoff()
        failures = 0
        while True:
            backoff.started()
            self._began = False
            try:
                how = await self._start_and_watch(await self._weights())
            except (OSError, ValueError) as error:
                how = str(error)
                if self._child is not None:
                    self._child.kill()
                    await self._child.wait()
            self._is_down(broken=not self._began)
            failures = 0 if self._began else failures + 1
            if tries is not None and failures >= tries and not self.ready.is_set():
                raise ServeError(
                    f"the engine of deployment {self._name} ended {failures} times before it was "
                    f"ready ({how}, model file {self._wanted.spec.weights}{self._projector()})"
                )
            delay = backoff.next()
            log.error("engine_ended", deployment=self._name, how=how, restart_in=delay)
            await asyncio.sleep(delay)

    async def _weights(self) -> Path:
        """The model file. One that is not here is waited for: it may be pulled at any time."""
        name, told = self._wanted.spec.weights, False
        while (found := _found(self._settings, name)) is None:
            if not told:
                told = True
                log.error("engine_waits", deployment=self._name, missing=name)
                self._is_down(broken=True)
            await asyncio.sleep(LOOK_SECONDS)
        if told:
            self._is_down(broken=False)  # requests wait for it from now on
        return found

    async def _start_and_watch(self, weights: Path) -> str:
        """One child from its start to its end; how it ended.

        Raises `OSError` if none can be started, `ValueError` for a line that cannot be read.
        """
        key = secrets.token_urlsafe(24)
        self._child = None
        self._child = child = await Child.spawn(ENGINE)
        child.send(encode(child_spec(self._wanted.spec, weights, self._settings.embedded, key)))
        if line := await child.line():
            started = msgspec.json.decode(line, type=ChildReady)
            self._began = True
            chosen = {"threads": started.threads, "why": started.why}
            log.info("engine_ready", deployment=self._name, **chosen, adapts=started.adapts)
            self._announce(
                EngineLocation(
                    self._id,
                    started.address,
                    key,
                    started.special,
                    child.pid,
                    switch=started.switch,
                )
            )
            self._state(chosen)
            self.ready.set()
        while news := await child.line():
            self._heard(news)
        return f"status {await child.wait()}"

    async def measure(self) -> None:
        """Have it measured how fast it reads and writes; a slow one is not waited for."""
        if self._child is not None:
            self._child.send(b"measure\n")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(MEASURING):
                    await self._measured.wait()

    def dismiss(self) -> None:
        """Nobody works with it any more: whatever becomes of it is told to nobody."""
        self._announce(EngineLocation(self._id, None, gone=True))
        self._announce = _nobody
        self.ready.set()
        self._measured.set()

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

    def _is_down(self, *, broken: bool) -> None:
        self._announce(EngineLocation(self._id, None, broken=broken))
        self._state({"threads": 0, "why": "not running"})

    def _state(self, changes: Mapping[str, Any]) -> None:
        self.state = replace(self.state, **changes)
        self._announce(self.state)

    def _projector(self) -> str:
        projector = self._wanted.spec.projector
        return f", mmproj {projector}" if projector else ""


class Engines:
    """All of them. The first ones must start, or the service does not; later ones are tried on."""

    def __init__(self, first: Sequence[EngineWanted], settings: Settings) -> None:
        self._first = first
        self._settings = settings
        self._announce: Announce = _nobody
        self._running: dict[str, tuple[EngineProcess, asyncio.Task[None]]] = {}
        self._ending: dict[asyncio.Task[None], EngineProcess] = {}
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._measuring = asyncio.Lock()
        """One after another: they share the processor."""

    @property
    def states(self) -> list[EngineThreads]:
        """How each computes."""
        return [process.state for process, _ in self._running.values()]

    async def run(self, announce: Announce) -> None:
        """Start the first ones, and watch all; `announce` hears of every change.

        Raises `ServeError` if a first one died several times before it was ready.
        """
        self._announce = announce
        self.follow(self._first, STARTS_TRIED)
        await self._failed

    async def ready(self) -> None:
        """Return once the first ones have been ready, and measured."""
        firsts = {each.id for each in self._first}
        processes = [process for id_, (process, _) in self._running.items() if id_ in firsts]
        for process in processes:
            await process.ready.wait()
        for process in processes:
            await self._measure(process)

    def follow(self, wanted: Sequence[EngineWanted], tries: int | None = None) -> None:
        """Have these run, and no others; what is told of those that go on is told again."""
        by_id = {each.id: each for each in wanted}
        for engine in self._running.keys() - by_id.keys():
            self._dismiss(engine)
        for engine, each in by_id.items():
            if engine in self._running:
                self._announce(self._running[engine][0].state)
                continue
            process = EngineProcess(each, self._settings, self._announce)
            task = asyncio.create_task(self._run(process, tries))
            task.add_done_callback(self._ended)
            self._running[engine] = process, task

    async def stop(self) -> None:
        """End all of them."""
        for engine in list(self._running):
            self._dismiss(engine)
        await asyncio.gather(*self._ending)

    def kill(self) -> None:
        for process in (*self._ending.values(), *(each for each, _ in self._running.values())):
            process.kill()

    async def _run(self, process: EngineProcess, tries: int | None) -> None:
        if tries is not None:
            await process.run(tries)
            return
        measuring = asyncio.create_task(self._measure(process))
        try:
            await process.run()
        finally:
            measuring.cancel()

    async def _measure(self, process: EngineProcess) -> None:
        await process.ready.wait()
        async with self._measuring:
            await process.measure()

    def _dismiss(self, engine: str) -> None:
        process, task = self._running.pop(engine)
        process.dismiss()
        task.cancel()
        ending = asyncio.create_task(_end(process, task))
        self._ending[ending] = process
        ending.add_done_callback(self._ending.pop)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        if not isinstance(error, ServeError):
            log.error("engine_lost", exc_info=error)  # the others serve on
        elif not self._failed.done():
            self._failed.set_exception(error)


def _found(settings: Settings, weights: str) -> Path | None:
    with contextlib.suppress(WeightsError):  # a name that the index has no more
        return find(settings, weights)
    return None


async def _end(process: EngineProcess, task: asyncio.Task[None]) -> None:
    await asyncio.wait({task})
    await process.stop()
