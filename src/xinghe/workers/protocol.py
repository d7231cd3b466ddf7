"""What parent and child say to each other: a length of four bytes, then MessagePack.

`Greeting` goes down first and `Ready` comes up; from then on `Call`s go down, one at a time, and
after its `Progressed`s each `Replied` comes up, also where a `Cancel` was sent meanwhile. A call
without a reply fails with a `WorkerFailure`.
"""

import msgspec

LENGTH = 4
OUT_OF_MEMORY = 77
"""Exit status of a child that has reached its limit."""
MAX_FRAME = 256 * 1024 * 1024
"""Bytes. A length beyond it is not a length: something else wrote into the pipe."""


class WorkerFailure(Exception):
    """The call has no reply."""


class RequestFailed(WorkerFailure):
    """The handler raised: the child lives on. The message is the type and text of its exception."""


class QueueFull(WorkerFailure):
    """The queue is full: nothing was begun."""


class WorkerDied(WorkerFailure):
    """The child ended, or spoke nonsense, while it had this call, or could not be started."""


class WorkerTimeout(WorkerFailure):
    """The child took longer than the call may; it was killed."""


class WorkerOutOfMemory(WorkerFailure):
    """The call needed more memory than the child may have; the child has ended."""


class WorkerClosed(WorkerFailure):
    """The worker is closed."""


class Greeting(msgspec.Struct, frozen=True, array_like=True):
    """`parent` is the process without which the child must not live.

    `memory` bytes of data are all that it may have; 0: no limit.
    """

    parent: int
    memory: int = 0


class Ready(msgspec.Struct, frozen=True, array_like=True):
    """The child has loaded what it needs."""


class Call(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """One request, in the module's own form."""

    id: int
    request: msgspec.Raw


class Cancel(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Nobody waits for call `id` any more; a handler that cannot stop goes on."""

    id: int


class Progressed(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """How far call `id` is, in the module's own units."""

    id: int
    done: int


class Replied(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The reply to call `id`, or what its handler raised."""

    id: int
    reply: msgspec.Raw
    error: str | None = None


class NotAFrame(Exception):
    """The bytes are not what the other side would send."""


def encode(frame: object) -> bytes:
    """A frame with its length before it. Raises `ValueError` for one that is too long."""
    body = msgspec.msgpack.encode(frame)
    if len(body) > MAX_FRAME:
        raise ValueError(f"a frame has {len(body)} bytes; at most {MAX_FRAME} are taken")
    return len(body).to_bytes(LENGTH, "big") + body


def body_length(head: bytes) -> int:
    """The length that the head of a frame announces. Raises `NotAFrame`."""
    length = int.from_bytes(head, "big")
    if not 0 < length <= MAX_FRAME:
        raise NotAFrame(f"a frame cannot have {length} bytes")
    return length
