"""One hostile request: the bytes that are sent, and what may be seen of the answer."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias
from urllib.parse import urlsplit

from tests.kit.api import DOCUMENTED
from tests.kit.script import SECRET

KEY = "sk-attacked-upstream"
"""The upstreams' key: whoever reads it in an answer or in the log has caught us."""

KEPT = 64 * 1024
"""Bytes of an answer's beginning and of its end that are looked at."""

Piece: TypeAlias = bytes | float
"""Bytes to send, or seconds to wait before the next."""

Allowed: TypeAlias = Sequence[str]
"""Outcomes: `200`, `200 cut`, `400 malformed_json`, `closed`; a status alone allows each code."""


@dataclass(frozen=True)
class Aim:
    """Where the shots go, and the tokens of the accounts that attack."""

    url: str
    tokens: Sequence[str]

    def token(self, number: int) -> str:
        return self.tokens[number % len(self.tokens)]


@dataclass(frozen=True)
class Shot:
    """An entry of the catalogue.

    `at_once` clients send it together and each must be answered `within` so many seconds, or
    leaves without reading after `leaves`. `pieces` makes what the client with a token sends;
    `drinks` is the most bytes that it reads a second.
    """

    name: str
    pieces: Callable[[Aim, str], Iterable[Piece]]
    allowed: Allowed
    at_once: int = 1
    within: float = 20.0
    leaves: float | None = None
    drinks: float | None = None


@dataclass(frozen=True)
class Seen:
    """What became of one client."""

    name: str
    outcome: str
    seconds: float
    allowed: bool


def head(path: str, token: str, *more: str, method: str = "POST") -> bytes:
    """A request's head under the documented mount; `more` are whole header lines."""
    lines = [f"{method} {DOCUMENTED}{path} HTTP/1.1", "Host: attacked"]
    lines += ["Content-Type: application/json", f"Authorization: Bearer {token}", *more]
    return "\r\n".join([*lines, "", ""]).encode()


def posted(path: str, token: str, body: bytes, *more: str) -> list[bytes]:
    """A whole request; a large body is sent in pieces, as a network does."""
    return [head(path, token, f"Content-Length: {len(body)}", *more), body]


def asked(path: str, body: object) -> Callable[[Aim, str], Iterable[Piece]]:
    """The pieces of an ordinary request whose body is `body` as JSON."""
    data = json.dumps(body).encode()
    return lambda _, token: posted(path, token, data)


def fire(shot: Shot, aim: Aim, token: str) -> Seen:
    """Be one client of a shot."""
    began = time.monotonic()
    try:
        outcome = _fired(shot, aim, token)
    except TimeoutError:
        # Who reads slowly, or not at all, may find that no more is taken.
        reads = shot.drinks is None and shot.leaves is None
        outcome = "silent" if reads else "left"
    except ConnectionError:
        outcome = "reset"
    allowed = outcome == "left" or any(
        outcome == one or (one.isdigit() and outcome.startswith(f"{one} ") and "cut" not in outcome)
        for one in shot.allowed
    )
    return Seen(shot.name, outcome, time.monotonic() - began, allowed)


def _fired(shot: Shot, aim: Aim, token: str) -> str:
    where = urlsplit(aim.url)
    pieces = iter(shot.pieces(aim, token))
    # What is to be sent is made before anybody waits for it.
    pieces = chain([next(pieces)], pieces)
    with socket.create_connection((where.hostname, where.port), 10) as wire:
        # A small window, so that what a reader leaves lying does not lie in the kernel.
        if shot.drinks is not None:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        end = time.monotonic() + shot.within
        try:
            for piece in pieces:
                if isinstance(piece, bytes):
                    wire.settimeout(max(0.1, end - time.monotonic()))
                    wire.sendall(piece)
                else:
                    time.sleep(piece)
        except ConnectionError:
            pass  # refused before all was sent: the refusal can still be read
        if shot.leaves is not None:
            time.sleep(shot.leaves)
            return "left"
        return _Reading(wire, end, shot.drinks).outcome()


class _Reading:
    """Reads one answer until `end` (`time.monotonic`) and says what it was."""

    def __init__(self, wire: socket.socket, end: float, drinks: float | None) -> None:
        self._wire = wire
        self._end = end
        self._drinks = drinks
        self._first = bytearray()
        self._last = b""
        self._size = 0

    def outcome(self) -> str:
        while True:
            raw = self._head()
            if raw is None:
                return "closed"
            status = raw.split(" ")[1]
            if not status.startswith("1"):
                break
        headers = dict(line.lower().split(": ", 1) for line in raw.split("\r\n")[1:] if line)
        whole = self._body(headers)
        text = bytes(self._first + self._last).decode("utf-8", "replace")
        if SECRET in text or KEY in text or "Traceback" in text:
            return f"{status} tells a secret"
        return status + (_detail(int(status), headers, text) if whole else " cut")

    def _recv(self) -> bytes:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._wire.settimeout(left)
        if self._drinks is None:
            return self._wire.recv(65536)
        time.sleep(0.1)
        return self._wire.recv(max(1, int(self._drinks / 10)))

    def _head(self) -> str | None:
        while b"\r\n\r\n" not in self._first:
            data = self._recv()
            if not data:
                return None
            self._first += data
        raw, _, rest = bytes(self._first).partition(b"\r\n\r\n")
        self._first = bytearray(rest)
        self._size = len(rest)
        return raw.decode("latin-1")

    def _body(self, headers: dict[str, str]) -> bool:
        """Read it; whether it was whole."""
        length = headers.get("content-length")
        chunked = "transfer-encoding" in headers
        while True:
            if length is not None and self._size >= int(length):
                return True
            if chunked and (self._last or bytes(self._first[-KEPT:])).endswith(b"0\r\n\r\n"):
                return True
            data = self._recv()
            if not data:
                return length is None and not chunked
            self._size += len(data)
            if len(self._first) < KEPT:
                self._first += data
            else:
                self._last = (self._last + data)[-KEPT:]


def _detail(status: int, headers: dict[str, str], text: str) -> str:
    """What an outcome says beside the status."""
    if "text/event-stream" in headers.get("content-type", ""):
        if "data: [DONE]" in text:
            return ""
        return " error" if '"error":{' in text.replace(" ", "") else " cut"
    if status < 400:
        return ""
    try:
        return f" {json.loads(text)['error']['code']}"
    except (ValueError, KeyError, TypeError):
        return " without its error"
