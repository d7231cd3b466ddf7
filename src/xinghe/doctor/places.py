"""Folders and disks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

from .finding import Finding, as_root, fail, ok
from .options import Options, read_toml

MEGABYTE = 1000**2
ENVIRONMENT_SIZE = 600 * MEGABYTE
"""Bytes: what an installation takes, with what pip unpacks on the way."""
DATA_SIZE = 100 * MEGABYTE
FETCH_FACTOR = 2.2
"""A download's worst case (joined from parts), as a multiple of the model file."""


def data_directory(options: Options) -> Finding:
    return _writable("data", options.data, "--data DIR")


def weights_cache(options: Options) -> Finding:
    return _writable("cache", options.cache, "XINGHE_WEIGHTS__CACHE=DIR")


def disk(options: Options) -> Finding:
    """One sum a file system, since several of the folders often share one."""
    needs: dict[int, list[tuple[str, int]]] = {}
    for folder, size in _needs(options):
        existing = nearest(folder)
        needs.setdefault(os.stat(existing).st_dev, []).append((existing, size))
    texts = []
    for wanted in needs.values():
        folder, size = wanted[0][0], sum(size for _, size in wanted)
        free = shutil.disk_usage(folder).free
        text = f"{free / 1000**3:.1f} GB free at {folder}"
        if free < size:
            return fail(
                "disk",
                f"{text}, and {size / 1000**3:.1f} GB are needed",
                "free some, or use another disk: --data DIR, XINGHE_WEIGHTS__CACHE=DIR",
            )
        texts.append(text)
    return ok("disk", "; ".join(texts))


def weight(options: Options) -> dict[str, Any] | None:
    """The entry of the model file in the index, if the model is one of the index's."""
    index = os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "..", "weights", "weights.toml"
    )
    for entry in read_toml(index).get("weight", []):
        if options.model == entry["name"] or options.model in entry.get("aliases", []):
            return dict(entry)
    return None


def nearest(path: str) -> str:
    """The path, or the nearest folder above it that exists."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


def _needs(options: Options) -> Iterator[tuple[str, int]]:
    yield options.data, DATA_SIZE
    if options.environment and not os.path.exists(os.path.join(options.environment, "bin", "pip")):
        yield os.path.abspath(options.environment), ENVIRONMENT_SIZE
    entry = weight(options) if options.embedded else None
    if entry and not os.path.exists(os.path.join(options.cache, entry["file"])):
        yield options.cache, int(FETCH_FACTOR * entry.get("size", 0))


def _writable(name: str, folder: str, otherwise: str) -> Finding:
    existing = nearest(folder)
    if not os.path.isdir(existing):
        return fail(name, f"{existing} is not a folder", f"name another one: {otherwise}")
    foreign = [path for path in _with_entries(existing, folder) if not _ours(path)]
    if foreign:
        text = f"{foreign[0]} belongs to another user, as after a run with sudo"
        return fail(name, text, as_root(f'chown -R "$(id -un)" {existing}'))
    if not os.access(existing, os.W_OK | os.X_OK):
        return fail(name, f"{existing} is not writable", f"name another one: {otherwise}")
    return ok(name, folder if existing == folder else f"{folder} (will be made)")


def _with_entries(existing: str, folder: str) -> Iterator[str]:
    """What ought to be ours: the folder and what is in it, or the part of its way below home."""
    home = os.path.expanduser("~")
    if existing == folder or os.path.commonpath([existing, home]) == home:
        yield existing
    if existing == folder and os.access(existing, os.R_OK | os.X_OK):
        for entry in os.scandir(existing):
            yield entry.path


def _ours(path: str) -> bool:
    return os.geteuid() == 0 or os.lstat(path).st_uid == os.geteuid()
