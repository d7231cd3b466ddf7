"""What the hostile tests share: requests by hand, and proof that refusals cost nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.kit.api import DOCUMENTED, HELLO, Api
from tests.kit.books import Books
from tests.kit.models import CHAT
from tests.kit.raw import Connection, Reply

CHAT_PATH = f"{DOCUMENTED}/chat/completions"


@pytest.fixture(scope="module")
def free_of_charge(books: Books) -> Iterator[None]:
    """For a module of refusals: the balance does not move, and no hold is left."""
    books.settled()
    before = books.shown()["balance"]
    yield
    books.settled()
    assert books.shown()["balance"] == before


def body(**fields: Any) -> bytes:
    """A chat request that is right but for `fields`."""
    return json.dumps({"model": CHAT, "messages": HELLO, **fields}).encode()


def head(api: Api, *lines: str, method: str = "POST", path: str = CHAT_PATH) -> bytes:
    """A request line, the token, and the lines given."""
    start = [f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {api.token}"]
    return "\r\n".join([*start, *lines, "", ""]).encode()


def exchange(api: Api, data: bytes) -> Reply:
    """Send bytes as they are and read one answer."""
    with Connection(api.url, timeout=120) as connection:
        # Refused before all was sent: the answer is there to be read.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.send(data)
        return connection.reply()


def answers_at_once(api: Api) -> None:
    """Whatever was sent before, the next request is served."""
    assert api.chat(model=CHAT).status == 200
