"""Who listens on a TCP port, as far as /proc shows it (Linux, and one's own processes)."""

from __future__ import annotations

import os
from collections.abc import Iterator

LISTEN = "0A"


def listener(port: int) -> str | None:
    """`name (process 123)`, or none where it cannot be told."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    for process in filter(str.isdigit, os.listdir("/proc")) if sockets else ():
        if sockets.intersection(_open_files(process)):
            try:
                with open(f"/proc/{process}/comm", encoding="utf-8", errors="replace") as file:
                    return f"{file.read().strip()} (process {process})"
            except OSError:
                continue  # ended since
    return None


def _open_files(process: str) -> Iterator[str]:
    folder = f"/proc/{process}/fd"
    try:
        descriptors = os.listdir(folder)
    except OSError:
        return  # another user's process, or one that just ended
    for descriptor in descriptors:
        try:
            yield os.readlink(f"{folder}/{descriptor}")
        except OSError:
            continue  # closed since


def _inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as file:
                rows = [line.split() for line in file.readlines()[1:]]
        except OSError:
            continue
        for row in rows:
            if row[3] == LISTEN and int(row[1].rpartition(":")[2], 16) == port:
                inodes.add(row[9])
    return inodes
