"""A repository of a hub as a folder of this machine."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from xinghe.images.diffusion.messages import CannotLoad, Spec, sentence

INDEX = "model_index.json"
"""What a folder of diffusers' format has on top."""

BASE = {
    "huggingface": "stabilityai/stable-diffusion-xl-base-1.0",
    "modelscope": "AI-ModelScope/stable-diffusion-xl-base-1.0",
}
"""Where each hub has the model that all others of its kind descend from."""

PARTS = ("text_encoder", "text_encoder_2", "unet", "vae")
HALF = "*.fp16*.safetensors"
ABANDONED = 3600.0
"""Seconds after which a file that is half fetched has no process any more that would go on."""


class FilePatterns(msgspec.Struct, frozen=True):
    """Which files of a repository are fetched.

    Never pickled weights, which could run code, nor the single files beside the folders and the
    other formats in them, which hold the same once more.
    """

    wanted: list[str]
    unwanted: list[str] = []


CONFIGURATION = FilePatterns(["*.json", "*.txt"])
HALF_WEIGHTS = FilePatterns([*CONFIGURATION.wanted, *(f"{part}/{HALF}" for part in PARTS)])
WEIGHTS = FilePatterns(
    [*CONFIGURATION.wanted, *(f"{part}/*.safetensors" for part in PARTS)], [HALF]
)


def fetched(spec: Spec, *, half: bool) -> Path:
    """The folder of the repository `spec.weights`; what is there already is not fetched again.

    `half`: its weights of 16 bits are enough, if it has such. Raises `CannotLoad`.
    """
    if half:
        folder = _snapshot(spec, spec.weights, HALF_WEIGHTS)
        if has_half(folder):
            return folder
    return _snapshot(spec, spec.weights, WEIGHTS)


def configuration(spec: Spec) -> Path:
    """A folder with what every Stable Diffusion XL has beside its weights. Raises `CannotLoad`."""
    return _snapshot(spec, BASE[spec.hub], CONFIGURATION)


def has_half(folder: Path) -> bool:
    """Whether there are weights of 16 bits under the name that sets them apart."""
    return any((folder / "unet").glob(HALF))


def _snapshot(spec: Spec, name: str, patterns: FilePatterns) -> Path:
    if not spec.endpoint:
        raise CannotLoad(
            f"{name} is to come from {spec.hub}, and `weights.{spec.hub}` is empty: "
            "set it, or name a folder of this machine"
        )
    cache = Path(spec.cache) / spec.hub
    print(f"asking {spec.hub}, {spec.endpoint}, for {name}", file=sys.stderr)
    ask = _ask_huggingface if spec.hub == "huggingface" else _ask_modelscope
    asked = {
        "cache_dir": str(cache),
        "endpoint": spec.endpoint,
        "allow_patterns": patterns.wanted,
        "ignore_patterns": patterns.unwanted,
    }
    try:
        return Path(ask(name, cache, asked))
    except Exception as error:  # their clients pass on what lies below them, of every kind
        raise CannotLoad(
            f"{name} cannot be fetched from {spec.hub}, {spec.endpoint}: {sentence(error)}"
        ) from error


def _ask_huggingface(name: str, cache: Path, asked: dict[str, Any]) -> str:
    """If the hub is out of reach, a folder that is whole will do."""
    os.environ.setdefault("HF_XET_CACHE", str(cache / "xet"))
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    _sweep(cache)
    folder: str = snapshot_download(name, **asked)
    return folder


def _ask_modelscope(name: str, cache: Path, asked: dict[str, Any]) -> str:
    """If the hub is out of reach, what was fetched before will do."""
    with _without_id(cache):
        from modelscope import snapshot_download  # noqa: PLC0415
        from modelscope_hub.errors import CacheNotFound, NetworkError, ServerError  # noqa: PLC0415

        folder: str
        try:
            folder = snapshot_download(name, **asked)
        except (NetworkError, ServerError) as error:
            try:
                folder = snapshot_download(name, cache_dir=str(cache), local_files_only=True)
            except CacheNotFound:
                raise error from None
            print(f"{name} is taken as it is here, for {sentence(error)}", file=sys.stderr)
        return folder


@contextlib.contextmanager
def _without_id(cache: Path) -> Iterator[None]:
    """Its client keeps an id of the machine in its home, and sends it with every request.

    Unless the operator gives it a home, it gets one in the cache, and its id is forgotten there.
    """
    own = cache / ".client"
    home = Path(os.environ.setdefault("MODELSCOPE_HOME", str(own)))
    os.environ.setdefault("MODELSCOPE_CACHE", str(cache))
    try:
        yield
    finally:
        if home.name == own.name:
            (home / "credentials" / "session").unlink(missing_ok=True)


def _sweep(cache: Path) -> None:
    """Remove what a killed process left: huggingface_hub takes a new file for each try."""
    for partial in cache.glob("models--*/blobs/*.incomplete"):
        with contextlib.suppress(FileNotFoundError):  # the process of another device sweeps, too
            if partial.stat().st_mtime < time.time() - ABANDONED:
                partial.unlink()
