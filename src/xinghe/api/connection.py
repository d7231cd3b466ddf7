"""A client's connection: uvicorn's parser, fed in pieces, with a clock and a refusal in JSON.

In pieces, because one read can hold thousands of pipelined requests and tens of thousands of
chunks: what is not parsed yet waits here, and the client waits with it. No request head may take
for ever.
"""

import asyncio
import re
from functools import partial
from typing import Any

import httptools
import msgspec
from starlette.types import Message
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from xinghe.api.errors import ApiError, Errors, shown
from xinghe.api.exchange import ABORT, SILENCE, WRITE, new_request_id
from xinghe.api.flow import ReadFlowControl, WaitingRoom, WriteWatchdog, write_at_once
from xinghe.observe import metrics

MAX_HEAD_BYTES = 128 * 1024
"""Of a request's line and headers, of its trailers, of the words beside a chunk's size."""
MAX_PIPELINED = 8
"""Requests that wait for their turn behind the one at work; the rest is not parsed yet."""
HEAD_PIECE = 1024
CHUNKED_PIECE = 16 * 1024
"""Bytes that are parsed at a time: where a head may begin, and of a body in chunks."""
TURN = 64 * 1024
"""Bytes of such pieces after which others have their turn."""

_VERSIONS = ("1.0", "1.1")
_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+;=%-]*|\[[0-9A-Za-z:.%_-]+\])(?::[0-9]*)?")
"""RFC 3986, section 3.2.2, but for the comma: no name has one, and two hosts in a row do."""
_FRAMING = (b"content-length", b"transfer-encoding")


class Connection(HttpToolsProtocol):
    """One TCP connection.

    `head_timeout` is in seconds, from accept or from a first byte; `stall_timeout` as in
    `WriteWatchdog`.
    """

    def __init__(
        self, room: WaitingRoom, head_timeout: float, stall_timeout: float, **uvicorn: Any
    ) -> None:
        super().__init__(**uvicorn)
        self._room = room
        self._head_timeout = head_timeout
        self._stall_timeout = stall_timeout
        self._head_timer: asyncio.TimerHandle | None = None
        self._cycles: list[RequestResponseCycle] = []
        self._rest = b""
        """Read, and not parsed yet."""
        self._parse_is_due = False
        self._unframed = 0
        """Bytes since a request last went forward by a head, a piece of its body or its end."""
        self._body_left: int | None = 0
        """Bytes of the body that are to come; `None` where it comes in chunks."""
        self._in_head = False
        self._past_head = False
        """Whether headers are trailers now."""
        self._is_resumed = False
        """Whether the parser reads a head of ours, after which the body goes on."""
        self._is_deaf = False
        """Whether what comes is thrown away."""
        self._refusal: ApiError | None = None
        """What is to be said when all requests are answered."""
        self._said_why = False

    # What the transport tells

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = self._read_flow = ReadFlowControl(transport)
        self._watchdog = WriteWatchdog(transport, self._stall_timeout, self._cut_off)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_done()
        self._watchdog.stop()
        self._rest = b""
        super().connection_lost(exc)
        # Uvicorn tells the newest request only; one before it may still be at work.
        for cycle in self._cycles:
            cycle.disconnected = True
            cycle.message_event.set()

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if not self._is_deaf:
            self._rest = self._rest + data if self._rest else data
            if not self._parse_is_due:
                self._parse()
        if self._is_deaf:
            return
        no_clock = self._head_timer is None and self.timeout_keep_alive_task is None
        if no_clock and not self._unanswered():
            # Bytes that begin no request ended uvicorn's own timer: ours goes on.
            self._await_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watchdog.watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watchdog.moved()

    # From bytes to requests

    def _parse(self) -> None:
        """Parse what was read, as far as there is room for more requests, for one turn."""
        self._parse_is_due = False
        if not self._rest or self.transport.is_closing():
            return
        data, at, turn = memoryview(self._rest), 0, 0
        while at < len(data) and turn < TURN and not self._is_crowded():
            size = CHUNKED_PIECE if self._body_left is None else max(self._body_left, HEAD_PIECE)
            piece = data[at : at + size]
            if size < HIGH_WATER_LIMIT:
                turn += len(piece)
            at += self._feed(piece)
            if not self._rest:
                return  # it was refused, or the client is gone
        self._rest = self._rest[at:]
        if self._rest:
            # While we let a client wait, its head is not late.
            self._read_flow.hold()
            self._head_is_done()
            if turn >= TURN and not self._is_crowded():
                self._parse_soon()
        elif self._read_flow.is_held:
            self._read_flow.release()
            if self._in_head and self._head_timer is None:
                self._await_head()

    def _parse_soon(self) -> None:
        self._parse_is_due = True
        self.loop.call_soon(self._parse)

    def _is_crowded(self) -> bool:
        waiting = len(self.pipeline)
        return waiting >= MAX_PIPELINED or (waiting > 0 and len(self.cycle.body) > HIGH_WATER_LIMIT)

    def _feed(self, piece: memoryview) -> int:
        """Parse a piece; returns how much of it, all but at an offer of another protocol."""
        self._unframed += len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as offer:
            self._pass_over_offer()
            return int(offer.args[0])
        except httptools.HttpParserError as error:
            cause = error.__context__
            invalid = ApiError(Errors.MALFORMED_JSON, "Invalid HTTP request received.")
            self._refuse(cause if isinstance(cause, ApiError) else invalid)
            return len(piece)
        if self._unframed > MAX_HEAD_BYTES:
            self._refuse(
                ApiError(
                    Errors.REQUEST_TOO_LARGE,
                    f"the request head (or what stands between the pieces of its body) has more "
                    f"than {MAX_HEAD_BYTES} bytes, allowed: up to {MAX_HEAD_BYTES}",
                )
            )
        return len(piece)

    def _pass_over_offer(self) -> None:
        """Go on as if another protocol had not been offered, as Java's client always does.

        The parser stops there, as if the body were of that protocol. A new one is told no more of
        the head than what the body needs.
        """
        lines = [b"POST / HTTP/" + self.parser.get_http_version().encode()]
        lines += [name + b": " + value for name, value in self.headers if name in _FRAMING]
        if not self.cycle.keep_alive:
            lines.append(b"connection: close")
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._is_resumed = True
        self.parser.feed_data(b"\r\n".join([*lines, b"", b""]))
        self._is_resumed = False

    # What the parser and the answers tell

    def on_message_begin(self) -> None:
        if self._is_resumed:
            return
        self._in_head, self._past_head = True, False
        # Uvicorn knows only bytes that arrive: these may have waited here.
        self._unset_keepalive_if_required()
        super().on_message_begin()
        if self._head_timer is None:
            self._await_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        # A trailer is no header, whatever it is called (RFC 9110, section 6.5.1): none is used.
        if not self._past_head:
            super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        if self._is_resumed:
            return
        self._head_is_done()
        version = self.parser.get_http_version()
        _check_head(version, self.headers)
        self._in_head, self._past_head, self._unframed = False, True, 0
        length = next((value for name, value in self.headers if name == b"content-length"), b"0")
        chunked = any(name == b"transfer-encoding" for name, _ in self.headers)
        self._body_left = None if chunked else int(length)
        if version == "1.0":
            self.expect_100_continue = False  # RFC 9110, section 10.1.1
        self.scope["extensions"] = {ABORT: {"abort": self.transport.abort}}
        super().on_headers_complete()
        if version == "1.0":
            _end_by_closing(self.cycle)
        else:
            write = partial(write_at_once, self.cycle)
            self.scope["extensions"][WRITE] = {"send": self.cycle.send, "write": write}
        self._unanswered().append(self.cycle)

    def on_body(self, body: bytes) -> None:
        self._unframed = 0
        if self._body_left is not None:
            self._body_left -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return  # the body is still to come, for all that the parser knows
        self._unframed = self._body_left = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._rest and not self._parse_is_due:
            self._parse_soon()
        self._watchdog.watch()
        if self._refusal is not None:
            self._refuse(self._refusal)

    # The clock, and refusals

    def _unanswered(self) -> list[RequestResponseCycle]:
        """The requests that are not answered yet: more than one where they are pipelined."""
        self._cycles = [cycle for cycle in self._cycles if not cycle.response_complete]
        return self._cycles

    def _await_head(self) -> None:
        self._room.enter(self)
        self._head_timer = self.loop.call_later(self._head_timeout, self._head_is_late)

    def _head_is_done(self) -> None:
        self._room.leave(self)
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        late = f"the request head did not arrive within {self._head_timeout:g} s"
        self._refuse(ApiError(Errors.REQUEST_TIMEOUT, late))

    def _cut_off(self) -> None:
        if not self._unanswered():  # else the request at work is told, and counts it
            metrics.CLIENTS_GONE.labels("stalled").inc()
        self.transport.abort()

    def _refuse(self, error: ApiError) -> None:
        """Answer with an error and close, when all that was asked before is answered.

        Nothing more that this client sends is read; that it leaves is noticed.
        """
        self._head_is_done()
        self._rest, self._is_deaf = b"", True
        self._read_flow.release()
        unanswered = self._unanswered()
        if self.transport.is_closing() or self._said_why:
            return
        if any(not cycle.more_body for cycle in unanswered):
            self._refusal = error
        elif any(cycle.response_started for cycle in unanswered):
            self.transport.close()  # it was refused before its body went wrong
        else:
            self._write(error)
        self._watchdog.watch()

    def _write(self, error: ApiError) -> None:
        request_id = new_request_id()
        body = msgspec.json.encode(error.body(request_id))
        self.transport.write(
            STATUS_LINE[error.row.status]
            + b"content-type: application/json; charset=utf-8\r\n"
            + f"content-length: {len(body)}\r\nx-request-id: {request_id}\r\n".encode()
            + b"access-control-allow-origin: *\r\ncache-control: no-store\r\n"
            + b"connection: close\r\n\r\n"
            + body
        )
        # Closed with bytes unread, it would be reset, and the client would not be told why.
        self.transport.write_eof()
        self._said_why = True
        self.loop.call_later(SILENCE, self.transport.close)
        for cycle in self._cycles:
            cycle.disconnected = True
            cycle.message_event.set()


def _check_head(version: str, headers: list[tuple[bytes, bytes]]) -> None:
    """Raises `ApiError` for what RFC 9112, sections 2.5 and 3.2, has a server refuse."""
    if version not in _VERSIONS:
        raise _wrong(f"the request is in HTTP/{version}", "HTTP/1.1, HTTP/1.0")
    hosts = [value for name, value in headers if name == b"host"]
    allowed = "the host, once, with a port or without"
    if len(hosts) > 1:
        raise _wrong(f"the header Host was sent {len(hosts)} times", allowed)
    if not hosts and version != "1.0":
        raise _wrong("the header Host is missing", allowed)
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise _wrong(f"the header Host is {shown(hosts[0].decode('latin-1'))}", allowed)


def _wrong(what: str, allowed: str) -> ApiError:
    return ApiError(Errors.MALFORMED_JSON, f"Invalid HTTP request: {what}, allowed: {allowed}")


def _end_by_closing(cycle: RequestResponseCycle) -> None:
    """HTTP/1.0 knows no chunks: an answer whose length is not told ends with the connection."""
    send = cycle.send
    told = False

    async def unchunked(message: Message) -> None:
        nonlocal told
        if message["type"] == "http.response.start":
            told = any(name.lower() == b"content-length" for name, _ in message["headers"])
            cycle.chunked_encoding = None if told else False
        elif not told:
            cycle.expected_content_length = len(message.get("body", b""))
        await send(message)  # type: ignore[arg-type]

    cycle.send = unchunked  # type: ignore[assignment,method-assign]
