"""From a folder, a single file or a hub to a pipeline on its device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import StableDiffusionXLPipeline

from xinghe.images.diffusion.messages import Spec
from xinghe.workers import threads

INDEX = "model_index.json"
HALF = "unet/diffusion_pytorch_model.fp16.safetensors"
CONFIGURATION = ["*.json", "*.txt"]
WEIGHTS, HALF_WEIGHTS = "*/*.safetensors", "*/*.fp16.safetensors"
"""What is fetched of a repository: no pickled weights, which could run code, and not the single
files beside the folders, which hold the same once more."""


class CannotLoad(Exception):
    """There is no such model, or it is of another kind; the message is for the operator."""


def load(spec: Spec) -> Any:
    """The pipeline, ready to draw. Raises `CannotLoad`."""
    # Their warnings quote the prompt where it is too long.
    diffusers.utils.logging.set_verbosity_error()
    transformers.utils.logging.set_verbosity_error()
    torch.set_num_threads(threads())
    device = _device(spec.device)
    precision = _precision(spec, device)
    try:
        pipeline = _read(spec, precision)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        said = " ".join(str(error).split())
        raise CannotLoad(f"{spec.weights} cannot be loaded: {said}") from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def _read(spec: Spec, precision: torch.dtype) -> Any:
    path = Path(spec.weights)
    if not spec.hub and path.is_file():
        config = {"config": spec.config, "local_files_only": True} if spec.config else {}
        return StableDiffusionXLPipeline.from_single_file(
            spec.weights, torch_dtype=precision, use_safetensors=True, **config
        )
    folder = _fetched(spec, precision) if spec.hub else path
    if not (folder / INDEX).is_file():
        raise CannotLoad(f"{spec.weights} has no {INDEX}: it is not a folder of diffusers' format")
    half = precision != torch.float32 and (folder / HALF).is_file()
    pipeline = StableDiffusionXLPipeline.from_pretrained(
        str(folder),
        torch_dtype=precision,
        variant="fp16" if half else None,
        use_safetensors=True,
        local_files_only=True,
    )
    if not isinstance(pipeline, StableDiffusionXLPipeline):
        raise CannotLoad(f"{spec.weights} is a {type(pipeline).__name__}, not Stable Diffusion XL")
    return pipeline


def _fetched(spec: Spec, precision: torch.dtype) -> Path:
    """The folder of a repository, fetched unless it is here; what has arrived is kept."""
    if precision != torch.float32:
        folder = _snapshot(spec, [*CONFIGURATION, HALF_WEIGHTS], [])
        if (folder / HALF).is_file():
            return folder
    return _snapshot(spec, [*CONFIGURATION, WEIGHTS], [HALF_WEIGHTS])


def _snapshot(spec: Spec, wanted: list[str], unwanted: list[str]) -> Path:
    if spec.hub == "huggingface":
        from huggingface_hub import snapshot_download  # noqa: PLC0415
    else:
        from modelscope import snapshot_download  # noqa: PLC0415
    folder = snapshot_download(
        spec.weights,
        cache_dir=str(Path(spec.cache) / spec.hub),
        endpoint=spec.endpoint or None,
        allow_patterns=wanted,
        ignore_patterns=unwanted,
    )
    return Path(folder)


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
