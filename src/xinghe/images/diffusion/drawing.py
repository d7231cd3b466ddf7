"""Draws the images of a task, one after the other."""

from __future__ import annotations

import inspect
import io
from typing import Any

import diffusers
import torch

from xinghe.images.diffusion.messages import Task
from xinghe.images.diffusion.prompts import encode
from xinghe.workers import Job

TILED_FROM = 1536 * 1536
"""Pixels from which the last stage works in tiles: whole, it takes many gigabytes."""


class Drawing:
    """The handler of the worker: the same task gives the same bytes."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._config = dict(pipeline.scheduler.config)

    def __call__(self, task: Task, job: Job) -> list[bytes]:
        job.progress(0)
        prompts = encode(self._pipeline, task.prompt, task.negative_prompt)
        if task.width * task.height >= TILED_FROM:
            self._pipeline.vae.enable_tiling()
        else:
            self._pipeline.vae.disable_tiling()
        return [
            self._draw(task, prompts, seed, done=at * task.steps, job=job)
            for at, seed in enumerate(task.seeds)
        ]

    def _draw(
        self, task: Task, prompts: dict[str, torch.Tensor], seed: int, done: int, job: Job
    ) -> bytes:
        pipeline = self._pipeline
        pipeline.scheduler = self._scheduler(task, seed)

        def stepped(_: Any, at: int, __: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            # A sampler of second order has two evaluations of the model a step.
            evaluations = len(pipeline.scheduler.timesteps)
            job.progress(done + (at + 1) * task.steps // evaluations)
            return tensors

        image = pipeline(
            **prompts,
            width=task.width,
            height=task.height,
            num_inference_steps=task.steps,
            guidance_scale=task.cfg_scale,
            # On the CPU whatever the device, so that a seed means the same everywhere.
            generator=torch.Generator("cpu").manual_seed(seed),
            callback_on_step_end=stepped,
        ).images[0]
        job.progress(done + task.steps)  # raises where the caller has left: nothing is encoded
        file = io.BytesIO()
        image.save(file, "PNG")
        return file.getvalue()

    def _scheduler(self, task: Task, seed: int) -> Any:
        """A new one for each image: it keeps state."""
        kind = getattr(diffusers, task.scheduler)
        options = dict(task.options)
        if "noise_sampler_seed" in inspect.signature(kind.__init__).parameters:
            options["noise_sampler_seed"] = seed  # it does not look at the generator
        return kind.from_config(self._config, **options)
