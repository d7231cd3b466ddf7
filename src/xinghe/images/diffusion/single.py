"""A model in a single file, in the key layout in which Stable Diffusion XL first appeared.

So the common user interfaces share their models. Such a file has the weights of all four parts,
and neither tokenizers nor configurations.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionXLPipeline
from safetensors import SafetensorError, safe_open

from xinghe.images.diffusion.errors import CannotLoad, sentence
from xinghe.images.diffusion.messages import Spec
from xinghe.images.diffusion.repository import INDEX, configuration

SUFFIX = ".safetensors"
PARTS = (
    "model.diffusion_model.",
    "first_stage_model.",
    "conditioner.embedders.0.transformer.",
    "conditioner.embedders.1.model.",
)
"""What the names of its tensors begin with; the refiner and older models lack some of them."""


def read(spec: Spec, precision: torch.dtype) -> Any:
    """The pipeline on the CPU. Raises `CannotLoad`, and whatever diffusers does."""
    file = Path(spec.weights)
    _check(file)
    try:
        return StableDiffusionXLPipeline.from_single_file(
            str(file),
            config=str(_configuration(spec)),
            dtype=precision,
            local_files_only=True,
        ).to("cpu")
    except NotImplementedError as error:  # what diffusers did not find it leaves without a value
        raise CannotLoad(f"{file} lacks some of its tensors: {sentence(error)}") from error


def _check(file: Path) -> None:
    if file.suffix != SUFFIX:
        raise CannotLoad(f"{file} is no {SUFFIX} file; others could run code and are not read")
    try:
        with safe_open(file, framework="pt") as opened:
            names = list(opened.keys())
    except SafetensorError as error:
        raise CannotLoad(f"{file} is damaged: {sentence(error)}") from error
    for part in PARTS:
        if not any(name.startswith(part) for name in names):
            raise CannotLoad(f"{file} has no {part}*: it is not Stable Diffusion XL in one file")


def _configuration(spec: Spec) -> Path:
    if spec.config:
        folder = Path(spec.config)
        if not (folder / INDEX).is_file():
            raise CannotLoad(f"`config` is {spec.config!r}, where there is no {INDEX}")
        return folder
    try:
        return configuration(spec)
    except CannotLoad as error:
        raise CannotLoad(
            f"{spec.weights} needs tokenizers and configurations, so set `config` to a folder "
            f"that has them: {error}"
        ) from error
