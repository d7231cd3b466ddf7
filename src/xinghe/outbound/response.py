"""The answer of a server, whole or as server-sent events, under limits of time, size and share.

The share is that of the event loop which the answers of other servers may take. One that comes
as ordinary ones do never waits for it, unless there are very many. What costs more, be it
millions of empty lines or chunks of one byte, waits its turn behind all others of its kind, and
reads more at once for that. All together leave a part of the loop to everybody else.
"""

from __future__ import annotations

import asyncio
import re
import time
from codecs import BOM_UTF8
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self
from weakref import WeakKeyDictionary

import msgspec

from xinghe.outbound.connection import Connection
from xinghe.outbound.faults import (
    MOST_OF_ERROR,
    AnswerTooLarge,
    CallFailed,
    Refused,
    fault_of,
)
from xinghe.outbound.pool import ConnectionPool

LONGEST_ADVICE = 3600.0
"""Seconds; a server that says more is not believed."""
SILENCES = 4
"""How many times its longest silence a server may take to say what is waited for."""
FOR_ITS_ERROR = 2.0
"""Seconds to wait for the body of a refusal, which is not needed."""
A_READ = 0.0001
"""Seconds that a read costs whatever it brings: a turn of the loop, and a turn of the task."""
A_CHARACTER = 0.000001
"""Seconds that a character of an answer costs on its way to the client, checks included.

Of Chinese prose; where digits imitate letters it may be three times as much.
"""
OWN_SHARE = 0.05
"""What an answer may take of the loop without waiting, while there are few."""
OWN_SHARES = 0.4
"""What all of them may so take together: of many, each has its part."""
AHEAD = 0.1
"""Seconds for which an answer may have used up its own share before it has to wait."""
SHARE = 0.2
"""Of the loop, for all answers together that take more."""
LONGEST = 1.0
"""Seconds of one wait: the server is not to be taken for a silent one meanwhile."""

MAX_EVENT_BYTES = 512 * 1024
"""A whole answer may stand in one event. Decoding it takes 5 ms at the worst."""
EVENTS_AT_ONCE = 128
"""Events between which nothing else of the gateway runs."""
PIECE = 16 * 1024
"""Bytes between which nothing else runs: they may be as many empty lines."""
ROOM, BYTES_A_TOKEN = 64 * 1024, 16 * 1024
"""What an answer may take on the wire: so much, and so much more for each token."""

_BEGINS = (b'{"', b"[D")
"""Events of JSON, or `[DONE]`."""
_EMPTY_LINES = re.compile(rb"\n{3,}")
_floods: WeakKeyDictionary[asyncio.AbstractEventLoop, Flood] = WeakKeyDictionary()


class Flood(msgspec.Struct):
    """The answers that one loop is reading.

    `free_at` is when the next that has to wait may go on, in the time of the loop's clock.
    """

    answers: int = 0
    free_at: float = 0.0


class Response:
    """What came back, with the body still to be read: `with` it, so that it is let go of.

    `silence` is the longest that it may say nothing, `progress_timeout` the time within which a
    server that keeps talking must have said something, both in seconds. `pace` counts the work on
    what it says, too.
    """

    def __init__(self, connection: Connection, pool: ConnectionPool, silence: float) -> None:
        loop = asyncio.get_running_loop()
        self.progress_timeout = SILENCES * silence
        self.pace = Pace(loop.time, _floods.setdefault(loop, Flood()))
        self.status = connection.answers.status
        self.read_at = loop.time()
        """When anything of it came last."""
        self._connection = connection
        self._pool = pool
        self._silence = silence
        self._clock = loop.time

    def __enter__(self) -> Self:
        self.pace.flood.answers += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Keep the connection where the answer was read to its end, else drop it.

        Who leaves by an exception wants no more of it: the server is to learn of that at once.
        """
        self.pace.flood.answers -= 1
        self._pool.give_back(self._connection, has_said_all=error is None)

    async def rest(self) -> None:
        """Wait where the work on this answer has been more than its share."""
        if seconds := self.pace.wait():
            await self.pause(seconds)

    async def pause(self, seconds: float) -> None:
        """Leave what comes meanwhile to be read at once."""
        paused = self._connection.pause()
        try:
            await asyncio.sleep(seconds)
        finally:
            if paused:
                self._connection.resume()

    async def read(self, until: float | None = None) -> bytes:
        """The next bytes of the body; none at its end.

        `until` is a time of the loop's clock by which they must have come. Raises `Silent`,
        `Broken`.
        """
        await self.rest()
        connection = self._connection
        limit = self._clock() + self._silence
        try:
            while not (read := connection.take()) and not connection.answers.is_over:
                await connection.wait(limit if until is None else min(limit, until))
        except Exception as error:
            raise fault_of(error, begun=True) from None
        self.pace.spent += A_READ + connection.spent
        connection.spent = 0.0
        self.read_at = self._clock()
        return read

    async def whole(self, most: int) -> bytes:
        """The body, of at most `most` bytes, without a byte order mark.

        Raises `AnswerTooLarge`, `Silent`, `Broken`.
        """
        too_large = AnswerTooLarge(f"its answer has more than {most} bytes")
        if self._connection.answers.length > most:
            raise too_large
        until = self._clock() + self.progress_timeout
        data = bytearray()
        while piece := await self.read(until):
            data += piece
            if len(data) > most:
                raise too_large
        return bytes(data.removeprefix(BOM_UTF8))

    async def refusal(self) -> Refused:
        """What a status that is no success amounts to. Some servers repeat the request in it."""
        body, until = bytearray(), self._clock() + FOR_ITS_ERROR
        with suppress(CallFailed):
            while len(body) < MOST_OF_ERROR and (piece := await self.read(until)):
                body += piece
        try:
            advice = float(self._connection.answers.headers.get(b"retry-after", b""))
        except ValueError:  # none, or a date
            advice = -1.0
        believed = 0 <= advice <= LONGEST_ADVICE
        said = bytes(body.removeprefix(BOM_UTF8))
        return Refused(self.status, said, advice if believed else None)


class EventStream:
    """The events of one answer, a few at a time; `tokens` is how many it may have."""

    def __init__(self, answer: Response, tokens: int) -> None:
        self._answer = answer
        self._left = self._most = ROOM + BYTES_A_TOKEN * tokens
        self._parser = EventParser()
        self._unparsed: deque[bytes] = deque()
        self._ready: deque[bytes] = deque()

    @property
    def has_more(self) -> bool:
        """Whether more has come than was taken."""
        return bool(self._ready or self._unparsed)

    async def next(self, until: float | None = None) -> list[bytes]:
        """The next events, at most `EVENTS_AT_ONCE`; none at the end of the answer.

        `until` as in `Response.read`. Raises `AnswerTooLarge`, and what `Response.read` raises.
        """
        while not self._ready:
            if not self._unparsed:
                if not (read := await self._answer.read(until)):
                    return self._parser.end()
                self._left -= len(read)
                if self._left < 0:
                    raise AnswerTooLarge(f"the answer has more than {self._most} bytes")
                self._unparsed.extend(read[at : at + PIECE] for at in range(0, len(read), PIECE))
            began = time.perf_counter()
            self._ready.extend(self._parser.feed(self._unparsed.popleft()))
            self._answer.pace.spent += time.perf_counter() - began
            await self._answer.rest()
            if not self._ready:
                await asyncio.sleep(0)
        taken = min(len(self._ready), EVENTS_AT_ONCE)
        events = [self._ready.popleft() for _ in range(taken)]
        if self.has_more:
            # What came at once is no reason to keep others waiting.
            await asyncio.sleep(0)
        return events


class EventParser(msgspec.Struct):
    """Splits reads of any size into the `data` of whole events (WHATWG HTML, section 9.2).

    Only `data` fields are kept, since no engine uses another. Lines may end in LF, CRLF or CR.
    A body that is no stream but JSON is an event for each object.
    """

    _pending: bytearray = msgspec.field(default_factory=bytearray)
    """The line that has not ended."""
    _data: list[bytes] = []
    _size: int = 0
    """Bytes of the event that has not ended, but for that line."""
    _skip_lf: bool = False
    _first: bool = True
    """Nothing but empty lines has come."""
    _whole: bool = False

    def feed(self, read: bytes) -> list[bytes]:
        """The events that this read completes. Raises `AnswerTooLarge`."""
        if events := self._plain(read):
            return events
        for line in self._lines(read):
            if self._whole or line.startswith(b"data:"):
                # Some frame once more what is framed already.
                data = line if self._whole else line[5:].removeprefix(b" ").removeprefix(b"data: ")
                is_more = self._data and self._data[0][:2] == b'{"'
                if is_more and self._data[-1].rstrip()[-1:] == b"}" and data[:2] in _BEGINS:
                    # No JSON goes on so: another event, that no empty line divides.
                    events.append(b"\n".join(self._data))
                    self._data, self._size = [], 0
                self._data.append(data)
                self._size += len(line)
            elif not line and self._data:
                events.append(b"\n".join(self._data))
                self._data, self._size = [], 0
        if self._size + len(self._pending) > MAX_EVENT_BYTES:
            raise AnswerTooLarge(f"an event has more than {MAX_EVENT_BYTES} bytes")
        return events

    def _plain(self, read: bytes) -> list[bytes]:
        """The events of a read that holds them as most servers write them; of any other, none.

        Each is a line of `data: ` with an empty one behind it: one cut of all is enough.
        """
        if self._whole or self._skip_lf or self._data or b"\n\n" not in read or b"\r" in read:
            return []
        body, _, rest = (self._pending + read).rpartition(b"\n\n")
        events = bytes(body[6:]).split(b"\n\ndata: ") if body.startswith(b"data: ") else []
        if body.count(b"\n") != 2 * len(events) - 2 or b"\n" in rest or b"data: data: " in body:
            return []
        self._pending, self._first = rest, False
        return events

    def _lines(self, read: bytes) -> list[bytes]:
        """The lines that this read completes."""
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
        if not rest:
            return []
        lines = [bytes(self._pending), *rest]
        self._pending = bytearray(lines.pop())
        if self._first:
            # They tell what the body is; a byte order mark may stand before them.
            lines[0] = lines[0].removeprefix(BOM_UTF8)
            head = next((line for line in map(bytes.strip, lines) if line), b"")
            self._first, self._whole = not head, head.startswith(b"{")
        return lines

    def end(self) -> list[bytes]:
        """The event that nothing but the end of the answer has ended."""
        events = self.feed(b"\n")
        self._whole = False
        if self._data:
            events.append(b"\n".join(self._data))
            self._data, self._size = [], 0
        return events


class Pace(msgspec.Struct):
    """What one answer takes of the loop, and when it has to wait.

    Work on it, in which nothing else can run, is added to `spent`: seconds since `wait` was last
    asked. `paid` is the time of the loop's clock until which its own share is used up.
    """

    clock: Callable[[], float]
    flood: Flood
    spent: float = 0.0
    paid: float = 0.0

    def wait(self) -> float:
        """The seconds to wait before more is done; 0 within the answer's own share."""
        now = self.clock()
        spent, self.spent = self.spent, 0.0
        own = min(OWN_SHARE, OWN_SHARES / max(1, self.flood.answers))
        paid = max(self.paid, now) + spent / own
        if paid - now <= AHEAD:
            self.paid = paid
            return 0.0
        # What is waited for is paid.
        self.paid = max(self.paid, now)
        self.flood.free_at = max(self.flood.free_at, now) + spent / SHARE
        return min(self.flood.free_at - now, LONGEST)
