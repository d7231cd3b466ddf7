"""Supervised child processes for work that needs a core of its own, or that may crash.

The parent holds a `Worker`; the child's module ends with `serve(handle, Request)`.
"""

from xinghe.workers.errors import (
    RequestFailed,
    WorkerBusy,
    WorkerClosed,
    WorkerDied,
    WorkerFailure,
    WorkerTimeout,
)
from xinghe.workers.serve import serve, threads
from xinghe.workers.worker import Worker

__all__ = [
    "RequestFailed",
    "Worker",
    "WorkerBusy",
    "WorkerClosed",
    "WorkerDied",
    "WorkerFailure",
    "WorkerTimeout",
    "serve",
    "threads",
]
