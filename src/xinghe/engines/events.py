"""Server-sent events out of a byte stream (WHATWG HTML, section 9.2)."""

from __future__ import annotations

MAX_EVENT_BYTES = 8 * 1024 * 1024


class EventTooLarge(Exception):
    """A peer sent an event that never ends."""


class EventParser:
    """Splits reads of any size into the `data` of whole events.

    Only `data` fields are kept, since no engine uses another. Lines may end in LF, CRLF or CR.
    """

    __slots__ = ("_data", "_pending", "_size", "_skip_lf")

    def __init__(self) -> None:
        self._pending = b""
        self._data: list[bytes] = []
        self._size = 0
        self._skip_lf = False

    def feed(self, read: bytes) -> list[bytes]:
        """The events that this read completes. Raises `EventTooLarge`."""
        if self._skip_lf and read:
            # The CR that ended the last read may have been the first half of a CRLF.
            read = read.removeprefix(b"\n")
            self._skip_lf = False
        if read.endswith(b"\r"):
            self._skip_lf = True
        text = self._pending + read
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, self._pending = text.split(b"\n")
        events: list[bytes] = []
        for line in lines:
            if line.startswith(b"data:"):
                value = line[5:]
                self._data.append(value[1:] if value.startswith(b" ") else value)
                self._size += len(line)
            elif not line and self._data:
                events.append(b"\n".join(self._data))
                self._data, self._size = [], 0
        if len(self._pending) + self._size > MAX_EVENT_BYTES:
            raise EventTooLarge
        return events
