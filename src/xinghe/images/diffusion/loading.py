"""From a folder, a single file or a hub to a pipeline on its device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import StableDiffusionXLPipeline

from xinghe.images.diffusion import single
from xinghe.images.diffusion.errors import CannotLoad, sentence
from xinghe.images.diffusion.messages import Spec
from xinghe.images.diffusion.repository import INDEX, fetched, has_half
from xinghe.workers import threads


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
    return single.read(spec, precision) if path.is_file() else _from_folder(spec, path, precision)


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
