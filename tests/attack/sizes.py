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
    """`processes` counts by what they run, and `memory` their MB; the dead that nobody has fetched
    are `zombies`."""

    memory: dict[str, float]
    descriptors: int
    processes: Counter[str]
    zombies: int

    @property
    def megabytes(self) -> float:
        return sum(self.memory.values())

    def grown(self, before: Sizes) -> dict[str, int]:
        """MB that each kind of process has more than before."""
        more = {what: size - before.memory.get(what, 0.0) for what, size in self.memory.items()}
        return {what: round(size) for what, size in more.items() if size >= 1}

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
    files, zombies = 0, 0
    processes: Counter[str] = Counter()
    memory: dict[str, float] = {}
    for one in family(server):
        try:
            if one.status() == psutil.STATUS_ZOMBIE:
                zombies += 1
                continue
            what = name(one)
            memory[what] = memory.get(what, 0.0) + one.memory_info().rss / MB
            files += one.num_fds()
            processes[what] += 1
        except psutil.Error:
            continue  # it has just ended
    return Sizes(memory, files, processes, zombies)


def name(process: psutil.Process) -> str:
    """The module that a process runs."""
    found = MODULE.search(" ".join(process.cmdline()))
    return (found[1] or found[2]) if found else process.name()
