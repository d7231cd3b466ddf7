"""Brings a pass to the engine of its deployment: queue, retry, cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import structlog

from xinghe.catalog import AnyDeployment, LlamaCppDeployment
from xinghe.core import GenerationJob, Message, Prompt, ToolUse
from xinghe.engines.protocol import Batch, Engine, EngineBusy, EngineFailed, EngineUnavailable
from xinghe.workers import Slots, WorkerBusy

log = structlog.get_logger(__name__)

RETRY_DELAYS = (0.2, 1.0)
"""Seconds before each further try (an embedded engine is waited for by itself)."""


class DispatchFailed(Exception):
    """No engine could serve, after retries."""


class ClusterFull(Exception):
    """The deployment has no room; `retry_after` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"full, try again in {retry_after:g} s")
        self.retry_after = retry_after


class Yielding(Exception):
    """A preemptible request finds no free slot; `retry_after` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"yielding, try again in {retry_after:g} s")
        self.retry_after = retry_after


class Station:
    """One deployment at work: its engine, and the slots that requests wait for."""

    def __init__(self, name: str, deployment: AnyDeployment, engine: Engine) -> None:
        self.name = name
        self.deployment = deployment
        self.engine = engine
        shared = deployment.context if isinstance(deployment, LlamaCppDeployment) else 0
        self.slots = Slots(deployment.slots, queue=deployment.queue, tokens=shared)


class Dispatcher:
    """All stations by the name of their deployment."""

    def __init__(self, stations: dict[str, Station]) -> None:
        self.stations = stations

    async def prepare(
        self,
        station: Station,
        messages: Sequence[Message],
        tools: ToolUse | None = None,
        opening: str = "",
    ) -> Prompt:
        """Render and count a conversation. Raises `DispatchFailed`."""
        for delay in (*RETRY_DELAYS, None):
            try:
                return await station.engine.prepare(messages, tools, opening)
            except EngineUnavailable as error:
                await self._pause(station, error, delay)
            except EngineFailed as error:
                raise _failed(station, error) from error
        raise AssertionError("unreachable")

    async def run(self, station: Station, job: GenerationJob) -> AsyncGenerator[Batch]:
        """Run one pass; tries again as long as the engine has not begun.

        Raises `ClusterFull`, `Yielding`, `DispatchFailed`. Closing the generator cancels the work.
        """
        slots, tokens = station.slots, job.prompt.bound + job.max_tokens
        if job.preemptible and not slots.has_room(tokens):
            raise Yielding(slots.expected_wait)
        try:
            async with slots.hold(tokens, returning=job.returning):
                for delay in (*RETRY_DELAYS, None):
                    try:
                        async with aclosing(station.engine.generate(job)) as batches:
                            async for batch in batches:
                                yield batch
                        return
                    except EngineUnavailable as error:
                        await self._pause(station, error, delay)
        except WorkerBusy as error:
            raise ClusterFull(slots.expected_wait) from error
        except EngineBusy as error:
            log.warning("engine_busy", deployment=station.name, error=str(error))
            raise ClusterFull(error.retry_after or slots.expected_wait) from error
        except EngineFailed as error:
            raise _failed(station, error) from error

    @staticmethod
    async def _pause(station: Station, error: EngineUnavailable, delay: float | None) -> None:
        log.warning("engine_unavailable", deployment=station.name, error=str(error), retry=delay)
        if delay is None:
            raise DispatchFailed(station.name) from error
        await asyncio.sleep(delay)

    async def ready(self) -> dict[str, bool]:
        """Whether each deployment can answer now."""
        answers = await asyncio.gather(*(s.engine.ready() for s in self.stations.values()))
        return dict(zip(self.stations, answers, strict=True))

    async def aclose(self) -> None:
        for station in self.stations.values():
            await station.engine.aclose()


def _failed(station: Station, error: EngineFailed) -> DispatchFailed:
    log.error("engine_failed", deployment=station.name, error=str(error))
    return DispatchFailed(station.name)
