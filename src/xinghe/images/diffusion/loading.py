"""From a folder, a single file or a hub to a pipeline on its device.

A single file is in the key layout in which Stable Diffusion XL first appeared, so the common user
interfaces share their models. It has the weights of all four parts, and neither tokenizers nor
configurations.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import StableDiffusionXLPipeline
from safetensors import SafetensorError, safe_open

from xinghe.images.diffusion.messages import CannotLoad, Spec, sentence
from xinghe.images.diffusion.repository import INDEX, configuration, fetched, has_half
from xinghe.workers import threads

SUFFIX = ".safetensors"
PARTS = (
    "model.diffusion_model.",
    "first_stage_model.",
    "conditioner.embedders.0.transformer.",
    "conditioner.embedders.1.model.",
)
"""What the names of its tensors begin with; the refiner and older models lack some of them."""


def load(spec: Spec) -> Any:
    """The pipeline, ready to draw. Raises `CannotLoad`."""
    # Their warnings quote the prompt where it is too long.
    diffusers.utils.logging.set_verbosity_error()
    transformers.utils.logging.set_verbosity_error()
    torch.set_num_threads(threads())
    device = _device(spec.device)
    precision = _precision(spec, device)
    try:
        pipeline = _read(spec, precision).to(device)
    except CannotLoad:
        raise
    except Exception as error:  # a file of strangers makes these libraries raise anything
        raise CannotLoad(f"{spec.weights} cannot be loaded: {sentence(error)}") from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _read(spec: Spec, precision: torch.dtype) -> Any:
    if not spec.local:
        return _from_folder(spec, fetched(spec, half=precision != torch.float32), precision)
    path = Path(spec.weights)
    if not path.exists():
        raise CannotLoad(f"there is no {path}")
    return (_from_file if path.is_file() else _from_folder)(spec, path, precision)


def _from_folder(spec: Spec, folder: Path, precision: torch.dtype) -> Any:
    if not (folder / INDEX).is_file():
        raise CannotLoad(f"{spec.weights} has no {INDEX}: it is not a folder of diffusers' format")
    half = precision != torch.float32 and has_half(folder)
    pipeline = StableDiffusionXLPipeline.from_pretrained(
        str(folder),
        dtype=precision,
        variant="fp16" if half else None,
        use_safetensors=True,
        local_files_only=True,
    )
    if not isinstance(pipeline, StableDiffusionXLPipeline):
        raise CannotLoad(f"{spec.weights} is a {type(pipeline).__name__}, not Stable Diffusion XL")
    return pipeline


def _from_file(spec: Spec, file: Path, precision: torch.dtype) -> Any:
    _check(file)
    try:
        return StableDiffusionXLPipeline.from_single_file(
            str(file), config=str(_configuration(spec)), dtype=precision, local_files_only=True
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


def _device(wanted: str) -> torch.device:
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise CannotLoad(f"there is no device {wanted!r}; `devices` takes cpu, cuda:0 …") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise CannotLoad(f"the device is {wanted!r}, and this machine has no usable CUDA")
    return device


def _precision(spec: Spec, device: torch.device) -> torch.dtype:
    if spec.precision == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    found: torch.dtype = getattr(torch, spec.precision)
    return found
