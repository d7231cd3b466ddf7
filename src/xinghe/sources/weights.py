"""Model files as sources: of this machine, of the index of weights, of a repository of a hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xinghe.catalog import Kind
from xinghe.settings import Settings
from xinghe.sources.draft import Draft, Say
from xinghe.sources.memory import require_memory
from xinghe.sources.source import File, Known, Repository, SourceError
from xinghe.weights import Progress, WeightsError
from xinghe.weights import resolve as resolve_weight
from xinghe.weights.fetch import fetch, fetch_weight
from xinghe.weights.gguf import Gguf, read_gguf
from xinghe.weights.hub import BESIDE, HubModel, choose, models_of
from xinghe.weights.index import shards
from xinghe.weights.progress import human
from xinghe.weights.store import find

TEXT = 512
"""Tokens of a text where an embedding model's card says nothing."""
IMAGE_FILES = (".safetensors",)
LISTED = 20


async def of_file(source: File, kind: Kind, settings: Settings, most: int) -> Draft:
    """The deployment of a file or folder. Raises `SourceError`.

    `most` is the largest input of the model's card, in tokens.
    """
    path = source.path
    if not path.exists():
        raise SourceError(f"there is no file {path}{_near(path)}")
    if kind is Kind.IMAGE:
        return _images(path)
    if path.is_dir():
        raise SourceError(f"{path} is a folder, allowed: a GGUF file{_within(path)}")
    if not path.is_file():
        raise SourceError(f"{path} is no file, allowed: a GGUF file")
    return _drafted(path, str(path), path.name, kind, settings, most)


async def of_known(
    source: Known, kind: Kind, settings: Settings, most: int, progress: Progress
) -> Draft:
    """The deployment of a name of the index, fetched unless it is here. Raises `SourceError`."""
    if kind is Kind.IMAGE:
        raise SourceError(
            f"{source.name} is a chat model, allowed for an image model: a folder or .safetensors "
            "file, modelscope:owner/repo, huggingface:owner/repo, http(s)://host/v1[#model]"
        )
    weight = resolve_weight(source.name)
    if find(settings, source.name) is None and weight.size:
        require_memory(source.name, weight.size)
    try:
        path = await fetch(settings, source.name, progress)
    except WeightsError as error:
        raise SourceError(str(error)) from error
    said = source.name if kind is Kind.CHAT else str(path)
    return _drafted(path, said, source.name, kind, settings, most)


async def of_repository(
    source: Repository, kind: Kind, settings: Settings, most: int, progress: Progress, say: Say
) -> Draft:
    """The deployment of a repository's model, fetched unless it is here. Raises `SourceError`."""
    if kind is Kind.IMAGE:
        if source.wanted:
            raise SourceError(
                f"an image model is a whole repository, allowed: {source.hub}:{source.name}"
            )
        table = {"engine": "diffusers", "weights": source.name, "hub": source.hub}
        return Draft(table, f"{source.name} of {source.hub}")
    try:
        model, path = await _fetched(source, settings, progress, say)
    except WeightsError as error:
        raise SourceError(str(error)) from error
    said = model.name if kind is Kind.CHAT else str(path)
    return _drafted(path, said, model.name, kind, settings, most)


async def _fetched(
    source: Repository, settings: Settings, progress: Progress, say: Say
) -> tuple[HubModel, Path]:
    """Raises `WeightsError`, `SourceError`."""
    model, why = choose(await models_of(settings, source.hub, source.name), source.wanted)
    here = find(settings, model.name)
    size = f", {human(model.size)}" if model.size else ", of unknown size"
    count = f" in {len(model.files)} files" if len(model.files) > 1 else ""
    say(
        f"{source.hub}:{source.name} has {model.path}{size}{count}"
        + (f" ({why})" if why else "")
        + ("; it is here already" if here else "")
    )
    if here is not None:
        return model, here
    require_memory(model.path, model.size, hint="; a smaller quantization may fit")
    paths = [await fetch_weight(settings, each, progress) for each in model.files]
    return model, paths[0]


def _drafted(path: Path, said: str, shown: str, kind: Kind, settings: Settings, most: int) -> Draft:
    """`said` is what the table says of its weights, `shown` what people are told."""
    try:
        gguf = read_gguf(path)
    except WeightsError as error:
        raise SourceError(str(error)) from error
    if not gguf.is_model:
        what = gguf.fields.get("general.type") or gguf.architecture or "nothing that is known"
        hint = "; a projector belongs beside its model: mmproj=FILE" if what == "mmproj" else ""
        raise SourceError(f"{shown} is no model, but {what}{hint}")
    if kind is Kind.EMBEDDING:
        return Draft(_embedding(gguf, said, shown, most), shown, gguf.context, gguf)
    if gguf.embeds:
        raise SourceError(
            f"{shown} is not a chat model: it makes vectors (architecture {gguf.architecture}); "
            "an embedding model can be served by it"
        )
    limit = settings.embedded.context
    context = min(gguf.context or limit, limit)
    table: dict[str, Any] = {"engine": "llamacpp", "weights": said, "context": context}
    if "<think>" in gguf.template:
        table["thinks"] = True
    return Draft(table, shown, context, gguf)


def _embedding(gguf: Gguf, said: str, shown: str, most: int) -> dict[str, Any]:
    if not gguf.embeds:
        raise SourceError(
            f"{shown} is not an embedding model: it says nothing of how its vectors are made "
            f"(architecture {gguf.architecture}); a chat model can be served by it"
        )
    context = min(gguf.context or TEXT, most or TEXT)
    return {"engine": "llamacpp-embedding", "weights": said, "context": max(16, context)}


def _images(path: Path) -> Draft:
    if path.is_file() and path.suffix not in IMAGE_FILES:
        raise SourceError(
            f"{path} is no image model, allowed: a folder in diffusers' format (with "
            "model_index.json), or a .safetensors file"
        )
    if path.is_dir() and not (path / "model_index.json").is_file():
        raise SourceError(f"{path} holds no model_index.json, so it is no model of diffusers")
    return Draft({"engine": "diffusers", "weights": str(path)}, path.name)


def _within(folder: Path) -> str:
    """What GGUF models a folder holds, to name one of them."""
    names = sorted(
        each.name
        for each in folder.glob("*.gguf")
        if shards(each.name)[0] == each.name and not BESIDE.search(each.name)
    )
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"; {folder} holds: {', '.join(names[:LISTED]) or 'none'}{more}"


def _near(path: Path) -> str:
    return _within(path.parent) if path.parent.is_dir() else f", and no folder {path.parent}"
