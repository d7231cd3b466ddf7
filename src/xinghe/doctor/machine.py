"""The machine: its Python, its processor and memory, its folders and disks."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from typing import Any

from .finding import Finding, as_root, fail, install, ok, warn
from .options import Options, read_toml

NEEDED = (3, 11)
GIGABYTE = 1000**3
COMFORTABLE = 4 * GIGABYTE
"""Bytes of memory below which the default model is slow or fails."""
SMALL = 2 * GIGABYTE
"""The same for the model `small`."""
MEGABYTE = 1000**2
ENVIRONMENT_SIZE = 1200 * MEGABYTE
"""Bytes: what an installation takes, with what pip unpacks on the way."""
DATA_SIZE = 100 * MEGABYTE
FETCH_FACTOR = 2.2
"""A download's worst case (joined from parts), as a multiple of the model file."""


def python(_: Options) -> Finding:
    found = platform.python_version()
    if sys.version_info >= NEEDED:
        return ok("python", found)
    return fail(
        "python",
        f"{sys.executable} is Python {found}, and 3.11 or newer is needed",
        "make run PYTHON=python3.11   (or any newer one that is installed)",
    )


def venv(options: Options) -> Finding:
    pip = os.path.join(options.environment, "bin", "pip")
    if os.path.exists(pip) and os.path.exists(os.path.join(options.environment, "bin", "python")):
        return ok("venv", f"{options.environment} is there")
    if os.path.exists(pip):
        text = f"the Python that {options.environment} was made with is gone"
        return fail("venv", text, "make clean run")
    missing = [name for name in ("venv", "ensurepip") if not importlib.util.find_spec(name)]
    if missing:
        return fail(
            "venv",
            f"this Python cannot make virtual environments: no module {' or '.join(missing)}",
            install("python3-venv", "python3"),
        )
    return ok("venv", "virtual environments can be made")


def libgomp(_: Options) -> Finding:
    if sys.platform != "linux":
        return ok("libgomp", "not needed on this system")
    try:
        ctypes.CDLL("libgomp.so.1")
    except OSError:
        text = "libgomp.so.1 is missing, which the embedded engine computes with"
        return fail("libgomp", text, install("libgomp1", "libgomp"))
    return ok("libgomp", "libgomp.so.1")


def cpu(options: Options, cpuinfo: str = "/proc/cpuinfo") -> Finding:
    machine = platform.machine()
    if machine not in {"x86_64", "AMD64"} or not os.path.exists(cpuinfo):
        return ok("cpu", machine)
    with open(cpuinfo, encoding="utf-8", errors="replace") as file:
        flags = next((line.split() for line in file if line.startswith("flags")), [])
    if "avx2" in flags:
        return ok("cpu", f"{machine} with AVX2")
    text = "this processor has no AVX2, which the embedded engine needs"
    if not options.embedded:
        return ok("cpu", f"{machine} without AVX2; the embedded engine is off")
    return fail("cpu", text, "name a model server under [defaults] in models.toml")


def memory(options: Options, cgroup: str = "/sys/fs/cgroup/memory.max") -> Finding:
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        with open(cgroup, encoding="ascii") as file:
            size = min(size, int(file.read()))
    except (OSError, ValueError):
        pass  # no container, or one without a limit ("max")
    text = f"{size / GIGABYTE:.1f} GB"
    if options.model == "small" and size < SMALL:
        return warn("memory", f"{text}, and 2 GB are advised", "give the machine more memory")
    if options.model != "small" and size < COMFORTABLE:
        return warn(
            "memory",
            f"{text}, and 4 GB are advised for the model {options.model}",
            'make run ARGS="--model small"',
        )
    return ok("memory", text)


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
        text = f"{free / GIGABYTE:.1f} GB free at {folder}"
        if free < size:
            return fail(
                "disk",
                f"{text}, and {size / GIGABYTE:.1f} GB are needed",
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
    me = os.geteuid()
    foreign = [path for path in _with_entries(existing, folder) if os.lstat(path).st_uid != me]
    if foreign and me != 0:
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
