"""Draws the images of a request, one after the other.

The two text encoders of Stable Diffusion XL take 77 tokens at a time, two of which are marks. A
longer prompt is cut into pieces of 75, which are encoded one by one and laid end to end, as the
common user interfaces do.
"""

from __future__ import annotations

import inspect
import io
from typing import Any

import diffusers
import torch

from xinghe.images.diffusion.messages import DiffusionRequest
from xinghe.workers import Job

TILED_FROM = 1536 * 1536
"""Pixels from which the last stage works in tiles: whole, it takes many gigabytes."""
PIECE = 75


class Drawing:
    """The handler of the worker: the same request gives the same bytes."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._config = dict(pipeline.scheduler.config)

    def __call__(self, request: DiffusionRequest, job: Job) -> list[bytes]:
        job.progress(0)
        prompts = _encoded(self._pipeline, request.prompt, request.negative_prompt)
        if request.width * request.height >= TILED_FROM:
            self._pipeline.vae.enable_tiling()
        else:
            self._pipeline.vae.disable_tiling()
        return [
            self._draw(request, prompts, seed, done=at * request.steps, job=job)
            for at, seed in enumerate(request.seeds)
        ]

    def _draw(
        self,
        request: DiffusionRequest,
        prompts: dict[str, torch.Tensor],
        seed: int,
        done: int,
        job: Job,
    ) -> bytes:
        pipeline = self._pipeline
        pipeline.scheduler = self._scheduler(request, seed)

        def stepped(_: Any, at: int, __: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            # A sampler of second order has two evaluations of the model a step.
            evaluations = len(pipeline.scheduler.timesteps)
            job.progress(done + (at + 1) * request.steps // evaluations)
            return tensors

        image = pipeline(
            **prompts,
            width=request.width,
            height=request.height,
            num_inference_steps=request.steps,
            guidance_scale=request.cfg_scale,
            # On the CPU whatever the device, so that a seed means the same everywhere.
            generator=torch.Generator("cpu").manual_seed(seed),
            callback_on_step_end=stepped,
        ).images[0]
        job.progress(done + request.steps)  # raises where the caller has left: nothing is encoded
        file = io.BytesIO()
        image.save(file, "PNG")
        return file.getvalue()

    def _scheduler(self, request: DiffusionRequest, seed: int) -> Any:
        """A new one for each image: it keeps state."""
        kind = getattr(diffusers, request.scheduler)
        options = dict(request.options)
        if "noise_sampler_seed" in inspect.signature(kind.__init__).parameters:
            options["noise_sampler_seed"] = seed  # it does not look at the generator
        return kind.from_config(self._config, **options)


def _encoded(pipeline: Any, prompt: str, negative_prompt: str) -> dict[str, torch.Tensor]:
    """The arguments of the pipeline that stand for both prompts: (1, 77·k, dim) and (1, dim)."""
    texts = [prompt, negative_prompt]
    pieces = [[_pieces(tokenizer, text) for text in texts] for tokenizer in _tokenizers(pipeline)]
    # Both prompts and both encoders have the same length.
    most = max(len(each) for of_tokenizer in pieces for each in of_tokenizer)
    states, pooled = [], []
    for at, _ in enumerate(texts):
        of_encoders = []
        for tokenizer, encoder, of_tokenizer in zip(
            _tokenizers(pipeline), _encoders(pipeline), pieces, strict=True
        ):
            rows = [_framed(tokenizer, each) for each in _filled(of_tokenizer[at], most)]
            ids = torch.tensor(rows, device=pipeline.device)
            with torch.no_grad():
                output = encoder(ids, output_hidden_states=True)
            hidden = output.hidden_states[-2]
            of_encoders.append(hidden.reshape(1, -1, hidden.shape[-1]))
        states.append(torch.cat(of_encoders, dim=-1))
        pooled.append(output.text_embeds[:1])
    if not negative_prompt and pipeline.config.force_zeros_for_empty_prompt:
        states[1], pooled[1] = torch.zeros_like(states[1]), torch.zeros_like(pooled[1])
    return {
        "prompt_embeds": states[0],
        "negative_prompt_embeds": states[1],
        "pooled_prompt_embeds": pooled[0],
        "negative_pooled_prompt_embeds": pooled[1],
    }


def _tokenizers(pipeline: Any) -> tuple[Any, Any]:
    return pipeline.tokenizer, pipeline.tokenizer_2


def _encoders(pipeline: Any) -> tuple[Any, Any]:
    return pipeline.text_encoder, pipeline.text_encoder_2


def _pieces(tokenizer: Any, text: str) -> list[list[int]]:
    ids: list[int] = tokenizer(text, add_special_tokens=False, truncation=False).input_ids
    return [ids[at : at + PIECE] for at in range(0, len(ids), PIECE)] or [[]]


def _filled(pieces: list[list[int]], most: int) -> list[list[int]]:
    return pieces + [[]] * (most - len(pieces))


def _framed(tokenizer: Any, piece: list[int]) -> list[int]:
    row = [tokenizer.bos_token_id, *piece, tokenizer.eos_token_id]
    return row + [tokenizer.pad_token_id] * (PIECE + 2 - len(row))
