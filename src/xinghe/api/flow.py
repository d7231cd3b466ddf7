"""What one client may hold of ours: bytes not parsed, bytes not taken, a head not complete."""

import asyncio
import fcntl
import resource
import sys
import termios
from collections.abc import Callable

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

ENOUGH_FILES = 65536
MAX_WAITING_SHARE = 0.5
"""Of all the files that the process may open, how many connections may be without a request."""
MARGIN = 2.0
"""Seconds: a stream's own clock comes first, and can tell why it ended."""


def raise_file_limit() -> int:
    """Allow this process many open files; returns how many it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, ENOUGH_FILES)
    if soft == resource.RLIM_INFINITY:
        return ENOUGH_FILES
    if wanted <= soft:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):
        return soft
    return wanted


class WaitingRoom:
    """The connections whose request head is not complete, oldest first.

    Where there are too many, the oldest goes: ten thousand half-open connections must not keep
    the next client out.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting: dict[HttpToolsProtocol, None] = {}

    def enter(self, connection: HttpToolsProtocol) -> None:
        self._waiting[connection] = None
        if len(self._waiting) > self._size:
            oldest = next(iter(self._waiting))
            self.leave(oldest)
            oldest.transport.abort()  # without a word

    def leave(self, connection: HttpToolsProtocol) -> None:
        self._waiting.pop(connection, None)


class ReadFlowControl(FlowControl):
    """Resumes reading when a body is wanted, but only once all that was read is parsed."""

    is_held = False

    def hold(self) -> None:
        self.is_held = True
        self.pause_reading()

    def release(self) -> None:
        if self.is_held:
            self.is_held = False
            self.resume_reading()

    def resume_reading(self) -> None:
        if not self.is_held:
            super().resume_reading()


class WriteWatchdog:
    """Looks at the unsent bytes while there are any; calls `cut_off` where none were taken.

    A look every `stall_timeout` and a margin, in seconds: a reader that takes nothing from one to
    the next is cut off, so after once to twice that.
    """

    def __init__(
        self, transport: asyncio.Transport, stall_timeout: float, cut_off: Callable[[], None]
    ) -> None:
        self._transport = transport
        self._interval = stall_timeout + MARGIN
        self._cut_off = cut_off
        self._timer: asyncio.TimerHandle | None = None
        self._before: int | None = None
        """What was pending at the last look, if nothing has moved since."""

    def watch(self) -> None:
        """Something was written. Called for every piece: it costs nothing while a look is due."""
        if self._timer is None:
            self._before = None
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._interval, self._look)

    def moved(self) -> None:
        """The client has taken much of what there was."""
        self._before = None

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if not self._transport.get_write_buffer_size():
            return
        before, pending = self._before, self._pending()
        if before is not None and pending >= before:
            self._cut_off()
        else:
            self.watch()
            self._before = pending

    def _pending(self) -> int:
        """Bytes that the client has not confirmed.

        The kernel's are counted, too: it takes more of ours only when a third of its own megabytes
        have left, for which a slow reader may need minutes.
        """
        unsent = self._transport.get_write_buffer_size()
        try:
            connection = self._transport.get_extra_info("socket").fileno()
            queued = fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4))
        except (OSError, ValueError):
            return unsent  # it is being closed, or this system does not tell
        return unsent + int.from_bytes(queued, sys.byteorder)


def write_at_once(cycle: RequestResponseCycle, data: bytes) -> bool:
    """As `cycle.send` writes a piece in chunks, where nothing has to be waited for."""
    is_over = cycle.disconnected or cycle.response_complete  # the next answer may be on its way
    if is_over or cycle.flow.write_paused or not cycle.chunked_encoding:
        return False
    cycle.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
    return True
