"""How the bytes of a connection become requests: uvicorn's parser, fed in pieces and with care.

In pieces, because one read can hold thousands of pipelined requests and tens of thousands of
chunks: what is not parsed yet waits here, and the client waits with it.
"""

from __future__ import annotations

import asyncio
import re

import httptools
from starlette.types import Message
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from xinghe.api.errors import ApiError, Errors, shown

MAX_HEAD_BYTES = 128 * 1024
"""Of a request's line and headers, of its trailers, of the words beside a chunk's size."""
MAX_PIPELINED = 8
"""Requests that wait for their turn behind the one at work; the rest is not parsed yet."""
HEAD_PIECE = 1024
CHUNKED_PIECE = 16 * 1024
"""Bytes that are parsed at a time: where a head may begin, and of a body in chunks."""
TURN = 64 * 1024
"""Bytes of such pieces after which others have their turn."""

VERSIONS = ("1.0", "1.1")
HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+;=%-]*|\[[0-9A-Za-z:.%_-]+\])(?::[0-9]*)?")
"""RFC 3986, section 3.2.2, but for the comma: no name has one, and two hosts in a row do."""
FRAMING = (b"content-length", b"transfer-encoding")


class Gate(FlowControl):
    """Resumes reading for whoever wants its body, but only when all that was read is parsed."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self._held = False

    def hold(self) -> None:
        self._held = True
        self.pause_reading()

    def release(self) -> None:
        if self._held:
            self._held = False
            self.resume_reading()

    def resume_reading(self) -> None:
        if not self._held:
            super().resume_reading()


class RequestReader(HttpToolsProtocol):
    """Parses; what cannot be a request ends in `refuse`."""

    _rest = b""
    """Read, and not parsed yet."""
    _unframed = 0
    """Bytes since a request last went forward by a head, a piece of its body or its end."""
    is_in_head = False
    _past_head = False
    """Whether headers are trailers now."""
    is_resumed = False
    """Whether the parser reads a head of ours, after which the body goes on."""
    _body_left: int | None = 0
    """Bytes of the body that are to come; `None` where it comes in chunks."""
    _scheduled = False
    is_deaf = False
    """Whether what comes is thrown away."""

    def refuse(self, error: ApiError) -> None:
        """Answer with an error; nothing more that this client sends is read."""
        raise NotImplementedError

    def on_hold(self, held: bool) -> None:
        """Parsing stops (`held`) or goes on: meanwhile the client waits for us."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = self._gate = Gate(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest = b""
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self.is_deaf:
            return
        self._rest = self._rest + data if self._rest else data
        if not self._scheduled:
            self._parse()

    def forget_the_rest(self) -> None:
        """Throw away what is not parsed and what is to come; that the client leaves is noticed."""
        self._rest, self.is_deaf = b"", True
        self._gate.release()

    def _parse(self) -> None:
        """Parse what was read, as far as there is room for more requests, for one turn."""
        self._scheduled = False
        if not self._rest or self.transport.is_closing():
            return
        data, at, turn = memoryview(self._rest), 0, 0
        while at < len(data) and turn < TURN and not self._is_crowded():
            size = self._piece()
            piece = data[at : at + size]
            if size < HIGH_WATER_LIMIT:
                turn += len(piece)
            at += self._feed(piece)
            if not self._rest:
                return  # it was refused, or the client is gone
        self._rest = self._rest[at:]
        if not self._rest:
            self._gate.release()
            self.on_hold(False)
            return
        self._gate.hold()
        self.on_hold(True)
        if turn >= TURN and not self._is_crowded():
            self._scheduled = True
            self.loop.call_soon(self._parse)

    def _is_crowded(self) -> bool:
        waiting = len(self.pipeline)
        return waiting >= MAX_PIPELINED or (waiting > 0 and len(self.cycle.body) > HIGH_WATER_LIMIT)

    def _piece(self) -> int:
        if self._body_left is None:
            return CHUNKED_PIECE
        return max(self._body_left, HEAD_PIECE)

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
            self.refuse(
                cause
                if isinstance(cause, ApiError)
                else ApiError(Errors.MALFORMED_JSON, "Invalid HTTP request received.")
            )
            return len(piece)
        if self._unframed > MAX_HEAD_BYTES:
            self.refuse(
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
        lines += [name + b": " + value for name, value in self.headers if name in FRAMING]
        if not self.cycle.keep_alive:
            lines.append(b"connection: close")
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.is_resumed = True
        self.parser.feed_data(b"\r\n".join([*lines, b"", b""]))
        self.is_resumed = False

    def on_message_begin(self) -> None:
        if self.is_resumed:
            return
        self.is_in_head, self._past_head = True, False
        # Uvicorn knows only bytes that arrive: these may have waited here.
        self._unset_keepalive_if_required()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self.is_resumed:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        # A trailer is no header, whatever it is called (RFC 9110, section 6.5.1): none is used.
        if not self._past_head:
            super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        if self.is_resumed:
            return
        version = self.parser.get_http_version()
        check_head(version, self.headers)
        self.is_in_head, self._past_head, self._unframed = False, True, 0
        length = next((value for name, value in self.headers if name == b"content-length"), b"0")
        chunked = any(name == b"transfer-encoding" for name, _ in self.headers)
        self._body_left = None if chunked else int(length)
        if version == "1.0":
            self.expect_100_continue = False  # RFC 9110, section 10.1.1
        super().on_headers_complete()
        if version == "1.0":
            end_by_closing(self.cycle)

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
        if self._rest and not self._scheduled:
            self._scheduled = True
            self.loop.call_soon(self._parse)


def check_head(version: str, headers: list[tuple[bytes, bytes]]) -> None:
    """Raises `ApiError` for what RFC 9112, sections 2.5 and 3.2, has a server refuse."""
    if version not in VERSIONS:
        raise _wrong(f"the request is in HTTP/{version}", "HTTP/1.1, HTTP/1.0")
    hosts = [value for name, value in headers if name == b"host"]
    allowed = "the host, once, with a port or without"
    if len(hosts) > 1:
        raise _wrong(f"the header Host was sent {len(hosts)} times", allowed)
    if not hosts and version != "1.0":
        raise _wrong("the header Host is missing", allowed)
    if hosts and not HOST.fullmatch(hosts[0]):
        raise _wrong(f"the header Host is {shown(hosts[0].decode('latin-1'))}", allowed)


def _wrong(what: str, allowed: str) -> ApiError:
    return ApiError(Errors.MALFORMED_JSON, f"Invalid HTTP request: {what}, allowed: {allowed}")


def end_by_closing(cycle: RequestResponseCycle) -> None:
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
