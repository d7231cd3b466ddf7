"""How many compute threads to take: the physical cores that are free, and at least one.

A thread more than there are free cores is waited for by all the others at every layer, which
costs far more than it brings.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
SAMPLE_SECONDS = 0.2
BUSY = 0.5
"""A core that was busy for this share of the sample is not counted as free."""


def free_cores() -> int:
    """Physical cores that this process may use and that nobody else is using now."""
    allowed = _allowed_cpus()
    before = _busy_ticks(allowed)
    time.sleep(SAMPLE_SECONDS)
    after = _busy_ticks(allowed)
    cores: dict[str, float] = {}
    ticks = os.sysconf("SC_CLK_TCK") * SAMPLE_SECONDS
    for cpu in allowed:
        share = (after.get(cpu, 0) - before.get(cpu, 0)) / ticks
        core = _core_of(cpu)
        cores[core] = max(cores.get(core, 0.0), share)
    free = sum(share < BUSY for share in cores.values())
    return max(1, min(free, quota(len(cores))))


def _allowed_cpus() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _core_of(cpu: int) -> str:
    """The physical core of a logical CPU: hyper-threads share one."""
    try:
        return Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text()
    except OSError:
        return str(cpu)


def _busy_ticks(cpus: list[int]) -> dict[int, int]:
    """Ticks that each CPU has spent on work since boot; empty where the system does not say."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
    except OSError:
        return {}
    busy: dict[int, int] = {}
    for line in lines:
        name, *fields = line.split()
        number = name.removeprefix("cpu")
        if name.startswith("cpu") and number.isdigit() and int(number) in cpus:
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
            busy[int(number)] = user + nice + system + irq + softirq + steal
    return busy


def quota(cores: int, file: Path = CPU_MAX) -> int:
    """The container's CPU allowance in whole cores (cgroup v2), or all of them."""
    try:
        allowance, period = file.read_text().split()
        return cores if allowance == "max" else max(1, int(allowance) // int(period))
    except (OSError, ValueError):
        return cores
