"""A client's connection: no request head may take for ever, and what is refused gets JSON."""

from __future__ import annotations

import asyncio
import resource
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from xinghe.api.errors import ApiError, Errors
from xinghe.api.exchange import ABORT, SILENCE, new_request_id
from xinghe.api.framing import RequestReader
from xinghe.api.outflow import Outflow
from xinghe.observe import metrics

ENOUGH_FILES = 65536
MAX_WAITING_SHARE = 0.5
"""Of all the files that the process may open, how many connections may be without a request."""


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
        self._waiting: dict[Connection, None] = {}

    def enter(self, connection: Connection) -> None:
        self._waiting[connection] = None
        if len(self._waiting) > self._size:
            next(iter(self._waiting)).drop()

    def leave(self, connection: Connection) -> None:
        self._waiting.pop(connection, None)


class Connection(RequestReader):
    """One TCP connection.

    `head_timeout` is in seconds, from accept or from a first byte; `stall_timeout` as in
    `Outflow`.
    """

    def __init__(
        self, room: WaitingRoom, head_timeout: float, stall_timeout: float, **uvicorn: Any
    ) -> None:
        super().__init__(**uvicorn)
        self._stall_timeout = stall_timeout
        self._room = room
        self._head_timeout = head_timeout
        self._head_timer: asyncio.TimerHandle | None = None
        self._cycles: list[RequestResponseCycle] = []
        """The requests that are not answered yet: more than one where they are pipelined."""
        self._refusal: ApiError | None = None
        """What is to be said when they are."""
        self._said_why = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._outflow = Outflow(transport, self._stall_timeout, self._cut_off)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_done()
        self._outflow.stop()
        super().connection_lost(exc)
        # Uvicorn tells the newest request only; one before it may still be at work.
        for cycle in self._cycles:
            cycle.disconnected = True
            cycle.message_event.set()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.is_deaf:
            return
        if self._is_idle() and self._head_timer is None and self.timeout_keep_alive_task is None:
            # Bytes that begin no request ended uvicorn's own timer: ours goes on.
            self._await_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._head_timer is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        self._head_is_done()
        if self.is_resumed:
            return
        self.scope["extensions"] = {ABORT: {"abort": self.transport.abort}}
        super().on_headers_complete()
        self._cycles = [cycle for cycle in self._cycles if not cycle.response_complete]
        self._cycles.append(self.cycle)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._outflow.watch()
        if self._refusal is not None:
            self.refuse(self._refusal)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._outflow.watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._outflow.moved()

    def refuse(self, error: ApiError) -> None:
        """Answer with an error and close, when all that was asked before is answered."""
        self._head_is_done()
        self.forget_the_rest()
        self._cycles = [cycle for cycle in self._cycles if not cycle.response_complete]
        if self.transport.is_closing() or self._said_why:
            return
        if any(not cycle.more_body for cycle in self._cycles):
            self._refusal = error
        elif any(cycle.response_started for cycle in self._cycles):
            self.transport.close()  # it was refused before its body went wrong
        else:
            self._write(error)
        self._outflow.watch()

    def on_hold(self, held: bool) -> None:
        """While we let a client wait, its head is not late."""
        if held:
            self._head_is_done()
        elif self.is_in_head and self._head_timer is None:
            self._await_head()

    def _is_idle(self) -> bool:
        return all(cycle.response_complete for cycle in self._cycles)

    def drop(self) -> None:
        """Let it go without a word."""
        self._head_is_done()
        self.transport.abort()

    def _cut_off(self) -> None:
        if self._is_idle():  # else the request at work is told, and counts it
            metrics.CLIENTS_GONE.labels("stalled").inc()
        self.transport.abort()

    def _await_head(self) -> None:
        self._room.enter(self)
        self._head_timer = self.loop.call_later(self._head_timeout, self._too_late)

    def _head_is_done(self) -> None:
        self._room.leave(self)
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_late(self) -> None:
        self._head_timer = None
        self.refuse(
            ApiError(
                Errors.REQUEST_TIMEOUT,
                f"the request head did not arrive within {self._head_timeout:g} s",
            )
        )

    def _write(self, error: ApiError) -> None:
        request_id = new_request_id()
        body = msgspec.json.encode(error.body(request_id))
        self.transport.write(
            STATUS_LINE[error.row.status]
            + b"content-type: application/json; charset=utf-8\r\n"
            + f"content-length: {len(body)}\r\nx-request-id: {request_id}\r\n".encode()
            + b"cache-control: no-store\r\nconnection: close\r\n\r\n"
            + body
        )
        # Closed with bytes unread, it would be reset, and the client would not be told why.
        self.transport.write_eof()
        self._said_why = True
        self.loop.call_later(SILENCE, self.transport.close)
        for cycle in self._cycles:
            cycle.disconnected = True
            cycle.message_event.set()
