"""How many threads an embedded engine computes with, chosen anew while it runs.

All that a thread has computed is waited for by the others at every layer, so one that shares its
core with somebody else's work slows all of them down. They begin as many as the machine gives
cores; when they are kept from running they become fewer, and more again when cores are idle.
"""

import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from xinghe.doctor.processor import ROOT, Capacity, capacity

PERIOD = 1.0
"""Seconds between two looks."""
EVIDENCE = 0.2
"""Seconds that the threads must have run or waited for a look to say that they are too many."""
CROWDED_LOOKS = 2
ROOMY_LOOKS, MOST_ROOMY_LOOKS = 5, 320
"""Looks that must agree before there are more threads; doubled where that soon proved wrong."""
SOON = 30
"""Looks."""
LEAST_SHARE = 0.05
"""A share of waiting that is never too much: the gateway and the system need a little, too."""
GAP = 0.4
"""CPUs that somebody may use of one that counts as idle."""


class Look(NamedTuple):
    """At what happened since the last one.

    `ran`, `waited`: seconds of this process's threads, on a CPU and in want of one (others had it,
    or the quota was used up). `idle`: CPUs that nobody used, or only at low priority, on average.
    """

    capacity: Capacity
    seconds: float
    ran: float
    waited: float
    idle: float


class Chooser:
    """The number of threads, from one look to the next; never more than at the start."""

    def __init__(self, start: Capacity) -> None:
        self.threads = start.threads
        self.why = str(start)
        self._start = self._capacity = start
        self._crowded = self._roomy = self._free = 0
        self._looks_needed = ROOMY_LOOKS
        self._since_more = SOON

    def take(self, look: Look) -> bool:
        """Whether `threads` and `why` have changed."""
        before = self.threads
        self._since_more += 1
        if look.capacity != self._capacity:
            self._capacity = look.capacity
            self._set(look.capacity.threads, str(look.capacity))
        elif self._too_many(look):
            if self._since_more < SOON:
                self._looks_needed = min(2 * self._looks_needed, MOST_ROOMY_LOOKS)
            kept = look.waited / (look.ran + look.waited)
            fewer = max(1, round(self.threads * kept))
            self._set(self.threads - fewer, f"others use the processor; {self._capacity}")
        elif room := self._room(look):
            self._since_more = 0
            self._set(room, f"the processor is free again; {self._capacity}")
        return self.threads != before

    @property
    def _most(self) -> int:
        return min(self._start.threads, self._capacity.threads)

    def _set(self, threads: int, why: str) -> None:
        self.threads, self.why = max(1, min(threads, self._most)), why
        self._crowded = self._roomy = 0

    def _too_many(self, look: Look) -> bool:
        """Kept waiting for longer than a thread fewer would cost, which is a share of 1/n²."""
        active = look.ran + look.waited
        bound = max(LEAST_SHARE, 1 / self.threads**2)
        crowded = self.threads > 1 and active > EVIDENCE and look.waited > bound * active
        self._crowded = self._crowded + 1 if crowded else 0
        return self._crowded >= CROWDED_LOOKS

    def _room(self, look: Look) -> int:
        """The threads for which there was room at all of the last looks; 0: not for more."""
        free = math.floor(look.idle + look.ran / look.seconds + GAP)
        if min(free, self._most) <= self.threads:
            self._roomy = 0
            return 0
        self._free = min(free, self._free) if self._roomy else free
        self._roomy += 1
        return self._free if self._roomy >= self._looks_needed else 0


class _Counts(NamedTuple):
    at: float
    threads: Mapping[str, tuple[int, int]]
    idle: Mapping[int, int]


class Clock:
    """Looks at this process and its CPUs by what Linux counts."""

    def __init__(self, root: str = ROOT) -> None:
        self._root = root
        self._last = self._counts()

    def look(self) -> Look | None:
        """Since the last one; `None` where the system does not count."""
        last, now = self._last, self._counts()
        self._last = now
        seconds = now.at - last.at
        known = now.threads.keys() & last.threads.keys()
        if not known or not now.idle:
            return None
        ran, waited = (
            sum(now.threads[each][kind] - last.threads[each][kind] for each in known) / 1e9
            for kind in (0, 1)
        )
        cpus = now.idle.keys() & last.idle.keys()
        ticks = sum(max(0, now.idle[cpu] - last.idle[cpu]) for cpu in cpus)
        idle = ticks / os.sysconf("SC_CLK_TCK") / seconds
        return Look(capacity(self._root), seconds, ran, waited, idle)

    def _counts(self) -> _Counts:
        root = Path(self._root)
        return _Counts(time.monotonic(), _scheduled(root), _idle_ticks(root))


def _scheduled(root: Path) -> Mapping[str, tuple[int, int]]:
    """Of each thread of this process: nanoseconds that it ran, and that it waited for a CPU."""
    counted = {}
    for folder in (root / "proc/self/task").glob("*"):
        try:
            ran, waited, _ = map(int, (folder / "schedstat").read_text("ascii").split())
        except (OSError, ValueError):
            continue  # it has ended, or this kernel does not count
        counted[folder.name] = (ran, waited)
    return counted


def _idle_ticks(root: Path) -> Mapping[int, int]:
    """Of each CPU of ours: ticks without work, or with work that gives way to others."""
    try:
        lines = (root / "proc/stat").read_text("ascii").splitlines()
    except OSError:
        return {}
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    yielding = os.getpriority(os.PRIO_PROCESS, 0) <= 0  # otherwise the nice do not give way to us
    ticks = {}
    for line in lines:
        name, *fields = line.split()
        number = name.removeprefix("cpu")
        if name != number and number.isdigit() and int(number) in allowed:
            _user, nice, _system, idle, waiting = map(int, fields[:5])
            ticks[int(number)] = idle + waiting + nice * yielding
    return ticks
