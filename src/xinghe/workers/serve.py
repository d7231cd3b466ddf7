"""The child's side: the module that `Worker` starts ends with `serve`."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, TypeVar

import msgspec

from xinghe.orphan import die_with_parent
from xinghe.workers.protocol import (
    LENGTH,
    OUT_OF_MEMORY,
    Call,
    Cancel,
    Greeting,
    Progressed,
    Ready,
    Replied,
    body_length,
    encode,
)

Request = TypeVar("Request")

NOTHING = msgspec.Raw(b"\xc0")


def threads() -> int:
    """The compute threads that this worker may take, for libraries that must be told."""
    return int(os.environ.get("OMP_NUM_THREADS", "1"))


class Cancelled(Exception):
    """Nobody waits for the reply any more."""


class Job:
    """What a long handler tells of its call, and is told."""

    def __init__(self, number: int, answers: _Answers) -> None:
        self.number = number
        self._answers = answers
        self._cancelled = threading.Event()

    def progress(self, done: int) -> None:
        """Tell the caller how much is done. Raises `Cancelled` if the caller has left."""
        if self._cancelled.is_set():
            raise Cancelled
        self._answers.send(Progressed(self.number, done))

    def cancel(self) -> None:
        """The next `progress` raises."""
        self._cancelled.set()


def serve(handle: Callable[[Request], object], request: type[Request]) -> None:
    """Answer calls until the parent closes the pipe. Never returns.

    `handle` gets each request decoded as `request`; what it returns is encoded by msgspec, what it
    raises reaches the caller as `RequestFailed`. It cannot be stopped. Load models before this
    call: it tells the parent that the child is ready.
    """
    answers = _greeted()
    decoder = msgspec.msgpack.Decoder(request)

    def work(call: Call) -> None:
        _answer(call.id, answers, lambda: handle(decoder.decode(call.request)))

    while (frame := _next()) is not None:
        if isinstance(frame, Call):
            work(frame)
    os._exit(0)


def serve_jobs(handle: Callable[[Request, Job], object], request: type[Request]) -> None:
    """As `serve`, for long calls, which tell their progress and can be cancelled."""
    answers = _greeted()
    decoder = msgspec.msgpack.Decoder(request)

    def work(call: Call, job: Job) -> None:
        _answer(call.id, answers, lambda: handle(decoder.decode(call.request), job))

    job = Job(-1, answers)
    with ThreadPoolExecutor(1) as pool:
        while (frame := _next()) is not None:
            if isinstance(frame, Call):
                job = Job(frame.id, answers)
                pool.submit(work, frame, job)
            elif frame.id == job.number:
                job.cancel()
        os._exit(0)


def _greeted() -> _Answers:
    """The pipe up, once the parent is known and told that this child is ready."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to handle
    pipe = _private_stdout()
    greeting = _read(sys.stdin.buffer)
    if greeting is None:
        os._exit(0)
    told = msgspec.msgpack.decode(greeting, type=Greeting)
    die_with_parent(told.parent)
    if told.memory:
        _limit_memory(told.memory)
    answers = _Answers(pipe)
    answers.send(Ready())
    return answers


def _answer(number: int, answers: _Answers, handle: Callable[[], object]) -> None:
    try:
        reply = msgspec.Raw(msgspec.msgpack.encode(handle()))
        answers.send(Replied(number, reply))
    except Cancelled:
        answers.send(Replied(number, NOTHING, "Cancelled"))
    except MemoryError:
        if resource.getrlimit(resource.RLIMIT_DATA)[0] != resource.RLIM_INFINITY:
            os._exit(OUT_OF_MEMORY)  # what the call has left behind goes with the process
        answers.send(Replied(number, NOTHING, "MemoryError"))
    except Exception as error:
        # The text may quote the request, which belongs to the caller and not into a log.
        print(f"{type(error).__name__} in a call:", file=sys.stderr)
        traceback.print_tb(error.__traceback__)
        answers.send(Replied(number, NOTHING, f"{type(error).__name__}: {error}"))


def _limit_memory(data: int) -> None:
    """Not of the address space, which libraries reserve far more of than they use."""
    with contextlib.suppress(OSError, ValueError):  # where the system knows no such limit
        resource.setrlimit(resource.RLIMIT_DATA, (data, data))


def _next() -> Call | Cancel | None:
    body = _read(sys.stdin.buffer)
    return None if body is None else msgspec.msgpack.decode(body, type=Call | Cancel)


class _Answers:
    """Frames on their way up: one at a time, whole."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def send(self, frame: object) -> None:
        data = encode(frame)
        try:
            with self._lock:
                self._pipe.write(data)
                self._pipe.flush()
        except BrokenPipeError:
            os._exit(0)


def _private_stdout() -> BinaryIO:
    """The pipe to the parent; what libraries print from now on goes to standard error."""
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return pipe


def _read(stream: BinaryIO) -> bytes | None:
    """The body of the next frame; `None` at the end of the pipe."""
    head = stream.read(LENGTH)
    if len(head) < LENGTH:
        return None
    length = body_length(head)
    body = stream.read(length)
    return body if len(body) == length else None
