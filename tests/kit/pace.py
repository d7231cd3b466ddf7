"""How long something may take on this machine at this moment."""

from __future__ import annotations

import os
from pathlib import Path


def allowed(seconds: float) -> float:
    """The same on a machine that does nothing else, more where others want its cores, too.

    For what must be quick. What a test only waits for has a generous deadline instead.
    """
    cores = len(os.sched_getaffinity(0))
    *_, tasks, _ = Path("/proc/loadavg").read_text("ascii").split()
    running = max(int(tasks.split("/")[0]), os.getloadavg()[0])
    busy = running / cores
    return seconds if busy < 1 else seconds * (2 + 4 * busy)
