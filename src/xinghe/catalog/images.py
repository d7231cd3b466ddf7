"""Who serves an image model: the deployments whose `engine` draws."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(gt=0, le=86400)]


class ImageBase(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="engine"):
    """What every such engine has in common: how many requests may wait for it."""

    queue: Count = 8


class PreviewDeployment(ImageBase, frozen=True, forbid_unknown_fields=True, tag="preview"):
    """Pictures composed without a model, for machines that have no weights."""


class DiffusersDeployment(
    ImageBase, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="diffusers"
):
    """Stable Diffusion XL through the library diffusers.

    `weights` is a folder in its format, one `.safetensors` file, or the name of a repository
    of `hub`. `config` is for a single file: a folder with the tokenizers and configurations;
    empty: they come from `hub`. There is one process for each of `devices` (`auto`, `cpu`,
    `cuda`, `cuda:1`), and one image at a time in each. `python` is the interpreter of another
    environment that has `xinghe[images]`; empty: our own.
    """

    weights: Annotated[str, Meta(min_length=1)]
    hub: Literal["modelscope", "huggingface"] = "modelscope"
    config: str = ""
    devices: Annotated[tuple[str, ...], Meta(min_length=1, max_length=64)] = ("auto",)
    precision: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """`auto`: float16 on CUDA, float32 elsewhere."""
    threads: Count = 0
    """Compute threads of a process; 0: half of the machine's."""
    load_timeout: Seconds = 3600.0
    """How long loading the weights may take, fetching them from a hub included."""
    python: str = ""

    @property
    def path(self) -> Path | None:
        """The folder or file; `None` for a repository of the hub."""
        path = Path(self.weights).expanduser()
        named = self.weights.startswith(("/", "./", "../", "~")) or path.suffix == ".safetensors"
        return path.absolute() if named or path.exists() else None

    @property
    def short_name(self) -> str:
        """What clients are told of the weights: no path of this machine."""
        return self.path.stem if self.path else self.weights


class UpstreamImagesDeployment(
    ImageBase, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="upstream-images"
):
    """Any server with OpenAI's `POST /images/generations`; `key_env` names a variable.

    `dialect` `documented`: it takes all parameters of section 4.2.2, as another Xinghe does;
    `openai`: only prompt, size and number, so a style is written into the prompt. `slots`
    images are made at once; timeouts in seconds.
    """

    url: str
    model: str
    key: str = ""
    key_env: str = ""
    dialect: Literal["documented", "openai"] = "openai"
    slots: Annotated[int, Meta(ge=1)] = 4
    connect_timeout: Seconds = 5.0
    silence_timeout: Seconds = 600.0

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"`url` is {self.url!r}, allowed: an http:// or https:// base URL")


ImageDeployment = PreviewDeployment | DiffusersDeployment | UpstreamImagesDeployment

IMAGE_ENGINES = frozenset({"preview", "diffusers", "upstream-images"})
