"""How much memory a model may take on this machine, before it is loaded to find out."""

from __future__ import annotations

from pathlib import Path

from xinghe.sources.source import SourceError
from xinghe.weights.progress import human

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")
BESIDE = 256 * 1024 * 1024
"""Bytes that an engine takes beside its weights and its cache of keys and values."""


def free_memory(meminfo: Path = MEMINFO, cgroup: Path = CGROUP) -> int | None:
    """Bytes that a process may still take, of the machine and of a container; `None`: unknown."""
    free: list[int] = []
    try:
        for line in meminfo.read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                free.append(int(line.split()[1]) * 1024)
    except (OSError, ValueError):
        pass
    try:
        most = int((cgroup / "memory.max").read_text("ascii"))
        taken = int((cgroup / "memory.current").read_text("ascii"))
        stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        free.append(most - taken + int(stat.get("file", 0)))  # what was only read gives way
    except (OSError, ValueError):
        pass
    return min(free) if free else None


def fits(weights: int, cache: int) -> bool:
    """Whether `weights` and a `cache` of so many bytes would fit, as far as that is known."""
    free = free_memory()
    return free is None or weights + cache + BESIDE <= free


def require_memory(name: str, weights: int, cache: int = 0, *, hint: str = "") -> None:
    """Raises `SourceError` where `weights` and a `cache` of so many bytes would not fit."""
    if fits(weights, cache):
        return
    free, needed = free_memory() or 0, weights + cache + BESIDE
    parts = f"{human(weights)} of weights"
    if cache:
        parts += f" and {human(cache)} for its context"
    raise SourceError(
        f"{name} is too large for the memory here: it needs about {human(needed)} ({parts}), and "
        f"{human(free)} are free{hint}"
    )
