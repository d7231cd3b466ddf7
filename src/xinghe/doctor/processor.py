"""How much of the machine's processor this process may compute with.

Every part that computes in threads asks here: the CPUs of its affinity, the physical cores among
them, the CPU quota of its control groups (versions 1 and 2). What others use meanwhile is no part
of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

ROOT = "/"
"""Where `proc` and `sys` are; the tests bring folders of their own."""
V2, V1 = ("", "unified"), ("cpu", "cpu,cpuacct", "cpuacct,cpu")
"""Below `sys/fs/cgroup`, where the hierarchies that can hold a quota are mounted."""


class Capacity(NamedTuple):
    """`cores`: physical ones that the affinity leaves, of `machine`; `quota`: CPUs, if limited."""

    cores: int
    machine: int
    quota: float | None

    @property
    def threads(self) -> int:
        """Compute threads that run without waiting for each other; one at least.

        Of a quota the whole CPUs alone: a group that has used it up stands still, all of it.
        """
        limit = self.cores if self.quota is None else min(self.cores, int(self.quota))
        return max(1, limit)

    def __str__(self) -> str:
        cores = f"{self.machine} {'core' if self.machine == 1 else 'cores'}"
        if self.cores < self.machine:
            cores = f"{self.cores} of {cores} by affinity"
        return cores if self.quota is None else f"{cores}, a CPU quota of {self.quota:g}"


def capacity(root: str = ROOT) -> Capacity:
    """What there is at this moment: affinity and quota may change while a process runs."""
    every = set(range(os.cpu_count() or 1))
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else every
    cores = {_core(root, cpu) for cpu in allowed}
    return Capacity(len(cores), len(cores | {_core(root, cpu) for cpu in every}), quota(root))


def quota(root: str = ROOT) -> float | None:
    """The least CPU quota of this process's control groups and of all above them, in CPUs."""
    quotas = [found for folder in set(_groups(root)) for found in _quotas(folder)]
    return min(quotas) if quotas else None


def _groups(root: str) -> Iterator[str]:
    """The folders of the groups. A container often sees its own group where others see the top."""
    for line in _read(os.path.join(root, "proc/self/cgroup")).splitlines():
        _, _, named = line.partition(":")
        controllers, _, path = named.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        names = [name for name in path.split("/") if name]
        if ".." in names:  # above what this namespace shows
            names = []
        for mount in V1 if controllers else V2:
            for depth in range(len(names) + 1):
                yield os.path.join(root, "sys/fs/cgroup", mount, *names[:depth])


def _quotas(folder: str) -> Iterator[float]:
    """What the files of a group say; what they do not say, or not in numbers, limits nothing."""
    one = _read(os.path.join(folder, "cpu.max")).split()
    two = [
        _read(os.path.join(folder, f"cpu.cfs_{name}_us")).strip() for name in ("quota", "period")
    ]
    for pair in (one, two):
        try:
            allowance, period = map(int, pair)
        except ValueError:
            continue  # "max", a file that is missing or has been cut off
        if allowance > 0 and period > 0:
            yield allowance / period


def _core(root: str, cpu: int) -> str:
    """The physical core of a logical CPU: hyper-threads share one."""
    file = f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
    return _read(os.path.join(root, file)).strip() or str(cpu)


def _read(file: str) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            return opened.read()
    except (OSError, ValueError):
        return ""
