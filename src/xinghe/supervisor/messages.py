"""What the supervisor and the gateway worker say to each other: one JSON line each."""

import msgspec

from xinghe.catalog import Catalog
from xinghe.engines.llamacpp.wanted import EngineWanted
from xinghe.settings import Settings

MOVED = 75
"""The exit status of a worker whose books have moved: the next one opens them where they are."""


class WorkerSpec(msgspec.Struct, frozen=True):
    """The first line to a worker: the descriptors are of listening sockets that it inherits."""

    settings: Settings
    catalog: Catalog
    socket: int
    metrics_socket: int
    parent: int


class EngineLocation(msgspec.Struct, frozen=True, tag=True):
    """A further line: where an embedded engine listens; no address while it is down.

    `engine` is the id of what was wanted. `special` are the texts of its model's special tokens,
    `pid` is its process. `broken`: its last start has failed, and nobody knows whether the next one
    will. `gone`: it is not started again. `switch`: its chat template can be told whether to think.
    """

    engine: str
    address: str | None
    key: str = ""
    special: list[str] = []
    pid: int = 0
    broken: bool = False
    gone: bool = False
    switch: bool = False


class EngineThreads(msgspec.Struct, frozen=True, tag=True):
    """A further line: with how many threads an engine computes, and why.

    `reads`, `writes`: tokens a second of one request alone, as measured at the start with
    `measured` threads; 0 before. No threads: it is not running.
    """

    engine: str
    deployment: str
    threads: int
    why: str
    reads: float = 0.0
    writes: float = 0.0
    measured: int = 0


class WorkerReady(msgspec.Struct, frozen=True, tag=True):
    """What a worker says once it serves."""

    pid: int


class NowServing(msgspec.Struct, frozen=True, tag=True):
    """What a worker says whenever one of them changes: the catalog that serves, with which its
    successor shall begin, and which embedded engines shall run.
    """

    catalog: Catalog
    engines: list[EngineWanted]


def encode(message: msgspec.Struct) -> bytes:
    return msgspec.json.encode(message) + b"\n"
