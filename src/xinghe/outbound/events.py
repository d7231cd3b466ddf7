"""Server-sent events out of an answer (WHATWG HTML, section 9.2), within bounds."""

from __future__ import annotations

import asyncio
import re
import time
from codecs import BOM_UTF8
from collections import deque

from xinghe.outbound.answer import Answer
from xinghe.outbound.faults import AnswerTooLarge

MAX_EVENT_BYTES = 512 * 1024
"""A whole answer may stand in one event. Decoding it takes 5 ms at the worst."""
EVENTS_AT_ONCE = 128
"""Events between which nothing else of the gateway runs."""
PIECE = 16 * 1024
"""Bytes between which nothing else runs: they may be as many empty lines."""
ROOM, BYTES_A_TOKEN = 64 * 1024, 16 * 1024
"""What an answer may take on the wire: so much, and so much more for each token."""

_EMPTY_LINES = re.compile(rb"\n{3,}")


class EventParser:
    """Splits reads of any size into the `data` of whole events.

    Only `data` fields are kept, since no engine uses another. Lines may end in LF, CRLF or CR.
    """

    __slots__ = ("_data", "_first", "_pending", "_size", "_skip_lf")

    def __init__(self) -> None:
        self._pending = bytearray()
        """The line that has not ended."""
        self._data: list[bytes] = []
        self._size = 0
        """Bytes of the event that has not ended, but for that line."""
        self._skip_lf = False
        self._first = True

    def feed(self, read: bytes) -> list[bytes]:
        """The events that this read completes. Raises `AnswerTooLarge`."""
        if self._first and read:
            # A byte order mark may stand before all else.
            read, self._first = read.removeprefix(BOM_UTF8), False
        if self._skip_lf and read:
            # The CR that ended the last read may have been the first half of a CRLF.
            read = read.removeprefix(b"\n")
            self._skip_lf = False
        if b"\r" in read:
            self._skip_lf = read.endswith(b"\r")
            read = read.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if b"\n\n\n" in read:
            read = _EMPTY_LINES.sub(b"\n\n", read)  # one of them ends an event as well as many
        first, *rest = read.split(b"\n")
        self._pending += first
        events: list[bytes] = []
        if rest:
            lines = [bytes(self._pending), *rest]
            self._pending = bytearray(lines.pop())
            for line in lines:
                if line.startswith(b"data:"):
                    value = line[5:]
                    self._data.append(value[1:] if value.startswith(b" ") else value)
                    self._size += len(line)
                elif not line and self._data:
                    events.append(b"\n".join(self._data))
                    self._data, self._size = [], 0
        if self._size + len(self._pending) > MAX_EVENT_BYTES:
            raise AnswerTooLarge(f"an event has more than {MAX_EVENT_BYTES} bytes")
        return events


class EventStream:
    """The events of one answer, a few at a time; `tokens` is how many it may have."""

    def __init__(self, answer: Answer, tokens: int) -> None:
        self._answer = answer
        self._left = self._most = ROOM + BYTES_A_TOKEN * tokens
        self._parser = EventParser()
        self._unparsed: deque[bytes] = deque()
        self._ready: deque[bytes] = deque()

    async def next(self, until: float | None = None) -> list[bytes]:
        """The next events, at most `EVENTS_AT_ONCE`; none at the end of the answer.

        `until` as in `Answer.read`. Raises `AnswerTooLarge`, and what `Answer.read` raises.
        """
        while not self._ready:
            if not self._unparsed:
                if not (read := await self._answer.read(until)):
                    return []
                self._left -= len(read)
                if self._left < 0:
                    raise AnswerTooLarge(f"the answer has more than {self._most} bytes")
                self._unparsed.extend(read[at : at + PIECE] for at in range(0, len(read), PIECE))
            began = time.perf_counter()
            self._ready.extend(self._parser.feed(self._unparsed.popleft()))
            self._answer.pace.spend(time.perf_counter() - began)
            await self._answer.rest()
            if not self._ready:
                await asyncio.sleep(0)
        taken = min(len(self._ready), EVENTS_AT_ONCE)
        events = [self._ready.popleft() for _ in range(taken)]
        if self._ready or self._unparsed:
            # What came at once is no reason to keep others waiting.
            await asyncio.sleep(0)
        return events
