"""How a call of a worker can fail."""

from __future__ import annotations


class WorkerFailure(Exception):
    """The call has no reply."""


class RequestFailed(WorkerFailure):
    """The handler raised: the child lives on. The message is the type and text of its exception."""


class WorkerBusy(WorkerFailure):
    """The queue is full: nothing was begun."""


class WorkerDied(WorkerFailure):
    """The child ended, or spoke nonsense, while it had this call, or could not be started."""


class WorkerTimeout(WorkerFailure):
    """The child took longer than the call may; it was killed."""


class WorkerOutOfMemory(WorkerFailure):
    """The call needed more memory than the child may have; the child has ended."""


class WorkerClosed(WorkerFailure):
    """The worker is closed."""
