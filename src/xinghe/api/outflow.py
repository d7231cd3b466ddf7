"""What a connection's client has not taken yet: it must take something, or is cut off."""

from __future__ import annotations

import asyncio
import fcntl
import sys
import termios
from collections.abc import Callable

MARGIN = 2.0
"""Seconds: a stream's own clock comes first, and can tell why it ended."""


class Outflow:
    """Looks at the unsent bytes while there are any; `cut_off` is called where none were taken.

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
            self._arm()

    def moved(self) -> None:
        """The client has taken much of what there was."""
        self._before = None

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._look)

    def _look(self) -> None:
        self._timer = None
        if not self._transport.get_write_buffer_size():
            return
        pending = self._pending()
        if self._before is not None and pending >= self._before:
            self._cut_off()
        else:
            self._before = pending
            self._arm()

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
