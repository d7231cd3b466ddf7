"""What the playground's page sends, from a browser that is driven by hand."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.kit.models import CHAT
from tests.kit.raw import Connection, Reply
from tests.kit.script import Script
from tests.kit.sse import events
from tests.kit.visitor import Visitor

PAGE, RUN = "/console/playground", "/console/playground/run/chat"


def mark_of(visitor: Visitor) -> str:
    """What the page of his browser sends as `X-Mark`."""
    return str(visitor.get(PAGE).all("#play")[0].get("data-mark"))


def headers_of(visitor: Visitor, **more: str | None) -> dict[str, str]:
    """All that the page's script sends; `more` stand in their place, None: not at all."""
    sent: dict[str, str | None] = {
        **visitor.headers,
        "Cookie": "; ".join(f"{name}={value}" for name, value in visitor.cookies.items()),
        "Content-Type": "application/json",
        "Origin": visitor.url,
        "Sec-Fetch-Site": "same-origin",
        "X-Mark": None if "X_Mark" in more else mark_of(visitor),
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    return {name: value for name, value in sent.items() if value is not None}


def body_of(script: Script | None = None, **fields: Any) -> bytes:
    messages = (script or Script()).messages
    return json.dumps({"model": CHAT, "messages": messages, **fields}).encode()


def ask(visitor: Visitor, body: bytes, path: str = RUN, **headers: str | None) -> Reply:
    with Connection(visitor.url) as connection:
        connection.request("POST", path, body, headers_of(visitor, **headers))
        return connection.reply()


@contextmanager
def streaming(visitor: Visitor, script: Script) -> Iterator[tuple[Connection, Iterator[str]]]:
    """A connection on which an answer is coming, and its events."""
    with Connection(visitor.url) as connection:
        body = body_of(script, stream=True, stream_options={"include_usage": True})
        connection.request("POST", RUN, body, headers_of(visitor))
        status, headers = connection.head()
        assert status == 200
        yield connection, events(connection.pieces(headers))


def wait_for(condition: Callable[[], Any], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
