"""A connection that is used again is not closed as an idle one."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from xinghe.api.connection import TURN, Connection
from xinghe.api.flow import WaitingRoom

BODY = TURN * 3
"""Bytes: more than one turn of the parser takes, so that the answer is there before its end."""


async def test_a_request_behind_a_long_body_that_nobody_reads() -> None:
    at_work = asyncio.Event()
    ended = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/long":
            at_work.set()
            await ended.wait()
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    config = uvicorn.Config(app, ws="none", lifespan="off", log_config=None)
    config.load()
    uvicorn_side: dict[str, Any] = {"config": config, "server_state": ServerState()}
    ours, theirs = socket.socketpair()
    with theirs:
        _, connection = await asyncio.get_running_loop().connect_accepted_socket(
            lambda: Connection(WaitingRoom(100), 30.0, 30.0, app_state={}, **uvicorn_side), ours
        )
        connection.data_received(
            b"GET /short HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"%x\r\n%s\r\n0\r\n\r\n" % (BODY, bytes(BODY))
            + b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        await asyncio.wait_for(at_work.wait(), 60)
        assert connection.timeout_keep_alive_task is None
        ended.set()
        await asyncio.gather(*connection.tasks)
        assert connection.timeout_keep_alive_task is not None
        connection.transport.abort()
