"""The diffusion model as an image engine: a bounded queue before one worker process a device."""

import asyncio
import time
from importlib.util import find_spec
from pathlib import Path

import msgspec
import structlog

from xinghe.catalog import DiffusersDeployment
from xinghe.core import Busy
from xinghe.doctor.processor import capacity
from xinghe.images.diffusion.messages import DiffusionRequest, Spec
from xinghe.images.protocol import (
    NO_ENHANCER,
    RETRY_AFTER,
    ImageEngineAway,
    ImageEngineFailed,
    ImageParams,
    Progress,
    samplers,
    share_of,
    styles,
)
from xinghe.settings import Settings
from xinghe.workers import QueueFull, RequestFailed, Slots, Worker, WorkerClosed, WorkerFailure

log = structlog.get_logger(__name__)

MODULE = "xinghe.images.diffusion.worker"
NICE = 10
"""Chat answers come first."""
LONGEST = 86400.0
"""Seconds that one request may take: the request itself says when it has waited enough."""
FIRST_GUESS = 2e-6
"""Seconds a pixel and step, before one was measured."""
WEIGHT_OF_LAST = 0.3


class DiffusionEngine:
    """One image at a time on each device; up to `queue` requests wait for one."""

    def __init__(self, name: str, deployment: DiffusersDeployment, settings: Settings) -> None:
        self.served_by = f"{name}/{deployment.short_name}"
        self.abilities = {"use_pe": NO_ENHANCER}
        self._name = name
        self._missing = not deployment.python and find_spec("diffusers") is None
        self._workers = [
            Worker(
                MODULE,
                list[bytes],
                arguments=[_spec(deployment, device, settings)],
                threads=deployment.threads or max(1, capacity().threads // 2),
                nice=NICE,
                timeout=LONGEST,
                start_timeout=deployment.load_timeout,
                python=deployment.python,
            )
            for device in deployment.devices
        ]
        self._free = list(self._workers)
        queue = deployment.queue
        self._slots = Slots(len(self._workers), queue=queue, share=share_of(queue))
        self._waiting: dict[object, int] = {}
        """The work of those that wait or are served, in pixels × steps."""
        self._speed = FIRST_GUESS

    @property
    def worker_pids(self) -> list[int | None]:
        return [worker.pid for worker in self._workers]

    async def start(self) -> None:
        """Begin to load the weights."""
        if self._missing:
            log.error("images_not_installed", deployment=self._name, help=_HELP)
            return
        for worker in self._workers:
            worker.start()

    async def generate(self, params: ImageParams, progress: Progress) -> list[bytes]:
        if self._missing:
            raise ImageEngineAway(_HELP, RETRY_AFTER)
        before = sum(self._waiting.values())
        me = object()
        self._waiting[me] = params.width * params.height * params.total_steps
        try:
            async with self._slots.hold():
                worker = self._free.pop(0)
                try:
                    return await self._drawn(worker, params, progress)
                finally:
                    # One that was left is free within a step: its next call waits that long.
                    self._free.append(worker)
        except QueueFull as busy:
            seconds = before * self._speed / len(self._workers)
            raise Busy(str(busy), max(1.0, seconds)) from None
        finally:
            del self._waiting[me]

    async def ready(self) -> bool:
        return any(worker.ready for worker in self._workers)

    async def aclose(self) -> None:
        await asyncio.gather(*(worker.aclose() for worker in self._workers))

    async def _drawn(
        self, worker: Worker[list[bytes]], params: ImageParams, progress: Progress
    ) -> list[bytes]:
        began = 0.0

        def told(done: int) -> None:
            nonlocal began
            began = began or time.monotonic()
            progress(done)

        try:
            images = await worker.call(_request(params), progress=told)
        except WorkerClosed:
            raise ImageEngineFailed("the service is ending") from None
        except RequestFailed as error:
            # The worker has said where; the text may quote the prompt.
            kind = str(error).split(":", 1)[0]
            raise ImageEngineFailed(f"the model raised {kind}") from error
        except (WorkerFailure, msgspec.DecodeError) as error:
            if worker.broken:
                raise ImageEngineAway(str(error), RETRY_AFTER) from error
            raise ImageEngineFailed(str(error)) from error
        if len(images) != params.n:
            raise ImageEngineFailed(f"{len(images)} images for {params.n}")
        taken = (time.monotonic() - began) / (params.width * params.height * params.total_steps)
        self._speed += (taken - self._speed) * WEIGHT_OF_LAST
        return images


_HELP = "the engine diffusers is not installed: pip install 'xinghe[images]'"


def _spec(deployment: DiffusersDeployment, device: str, settings: Settings) -> str:
    path = deployment.path
    places = settings.weights
    spec = Spec(
        weights=str(path) if path else deployment.weights,
        local=path is not None,
        hub=deployment.hub,
        endpoint=places.modelscope if deployment.hub == "modelscope" else places.huggingface,
        cache=str(settings.weights_dir),
        config=str(Path(deployment.config).expanduser()) if deployment.config else "",
        device=device,
        precision=deployment.precision,
    )
    return msgspec.json.encode(spec).decode()


def _request(params: ImageParams) -> DiffusionRequest:
    sampler, style = samplers()[params.sampler], styles()[params.style]
    prompt, negative_prompt = style.apply(params.prompt, params.negative_prompt)
    return DiffusionRequest(
        prompt=prompt,
        negative_prompt=negative_prompt,
        width=params.width,
        height=params.height,
        steps=params.steps,
        scheduler=sampler.scheduler,
        options=sampler.options,
        seeds=params.seeds,
        cfg_scale=params.cfg_scale,
    )
