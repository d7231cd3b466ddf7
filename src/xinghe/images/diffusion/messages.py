"""What is said between the platform and a worker that runs a diffusion model."""

from typing import Literal

import msgspec

from xinghe.images.protocol import Option


class Spec(msgspec.Struct, frozen=True):
    """What the worker loads: `weights` is a path if it is `local`, else a repository of `hub`.

    `endpoint` is the hub's base URL, `cache` the folder for what is fetched from it. `config`
    is a folder, or empty.
    """

    weights: str
    local: bool
    hub: Literal["modelscope", "huggingface"]
    endpoint: str
    cache: str
    config: str
    device: str
    precision: Literal["auto", "float32", "float16", "bfloat16"]


class DiffusionRequest(msgspec.Struct, frozen=True, array_like=True):
    """The images of one request, one a seed, the style already in the prompts.

    `scheduler` is the name of a class of diffusers, `options` what is set on it. Progress is
    told in steps over all images. The reply is a list of PNG files.
    """

    scheduler: str
    options: dict[str, Option]
    prompt: str
    negative_prompt: str
    width: int
    height: int
    seeds: list[int]
    steps: int
    cfg_scale: float


class CannotLoad(Exception):
    """There is no such model, or it is of another kind; the message is for the operator."""


def sentence(error: BaseException) -> str:
    """What a library raised, on one line: its kind and its text."""
    return " ".join(f"{type(error).__name__}: {error}".split())
