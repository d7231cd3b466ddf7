"""What the service's processes hold: memory, descriptors, themselves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import psutil

from tests.kit.server import Server
from tests.supervisor.kit import root

MB = 1024 * 1024
MODULE = re.compile(r"-m (xinghe[\w.]*(?: \w+)?)|(xinghe[\w.]+)")


@dataclass(frozen=True)
class Sizes:
    """`processes` counts by what they run; the dead that nobody has fetched are `zombies`."""

    megabytes: float
    descriptors: int
    processes: Counter[str]
    zombies: int

    def extra(self, before: Sizes) -> int:
        """Processes that were not there before, and zombies."""
        return (self.processes - before.processes).total() + self.zombies


def family(server: Server) -> Iterator[psutil.Process]:
    """The supervisor and all below it."""
    with suppress(psutil.Error, AssertionError):
        top = root(server)
        yield top
        yield from top.children(recursive=True)


def sizes(server: Server) -> Sizes:
    memory, files, zombies = 0, 0, 0
    processes: Counter[str] = Counter()
    for one in family(server):
        try:
            if one.status() == psutil.STATUS_ZOMBIE:
                zombies += 1
                continue
            memory += one.memory_info().rss
            files += one.num_fds()
            processes[name(one)] += 1
        except psutil.Error:
            continue  # it has just ended
    return Sizes(memory / MB, files, processes, zombies)


def name(process: psutil.Process) -> str:
    """The module that a process runs."""
    found = MODULE.search(" ".join(process.cmdline()))
    return (found[1] or found[2]) if found else process.name()
