"""Supervised child processes for work that needs a core of its own, or that may crash.

The parent holds a `Worker`; the child's module ends with `serve(handle, Request)`, or with
`serve_jobs` where calls are long enough to tell their progress and to be cancelled. A
`WorkerPool` is for calls whose cost a client can size, `Threads` for those that a thread does;
what waits for either, or for `Slots` of any other kind, waits in a `FairQueue`.
"""

from xinghe.workers.pool import WorkerPool
from xinghe.workers.process import Backoff
from xinghe.workers.protocol import (
    QueueFull,
    RequestFailed,
    WorkerClosed,
    WorkerDied,
    WorkerFailure,
    WorkerOutOfMemory,
    WorkerTimeout,
)
from xinghe.workers.queue import FairQueue, Slots, Threads
from xinghe.workers.serve import Cancelled, Job, serve, serve_jobs, threads
from xinghe.workers.worker import Worker
