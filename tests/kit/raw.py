"""HTTP/1.1 over a bare socket: what went over the wire, with nothing that smooths it over."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Reply:
    """A whole answer; header names are lower case. Cookies are set line by line."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise AssertionError(f"HTTP {self.status}, not JSON: {self.body[:500]!r}") from error

    @property
    def text(self) -> str:
        return self.body.decode()


class Connection:
    """One connection to `url` (scheme and authority); reads time out after `timeout` seconds.

    With https any certificate will do. `local` is the address here that it comes from.
    """

    def __init__(self, url: str, timeout: float = 180.0, local: str = "") -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self.authority = f"{parts.hostname}:{parts.port}"
        origin = (local, 0) if local else None
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout, origin)
        if parts.scheme == "https":
            anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
            self.socket = anybody.wrap_socket(self.socket, server_hostname=parts.hostname)
        self._buffer = b""
        self._asked = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send one request, with a Content-Length if there is a body."""
        self._asked = method
        given = {"Host": self.authority, **(headers or {})}
        lines = [f"{method} {path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in given.items()]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join([*lines, "", ""]).encode() + (body or b""))

    def head(self) -> tuple[int, dict[str, str]]:
        """Read status and headers; an interim (1xx) answer is passed over."""
        while True:
            raw = self._until(b"\r\n\r\n").decode("latin-1")
            status, *lines = raw.split("\r\n")
            code = int(status.split(" ")[1])
            if code >= 200:
                break
        headers: dict[str, str] = {}
        for line in filter(None, lines):
            name, value = (part.strip() for part in line.split(":", 1))
            name = name.lower()
            cookies = headers.get(name) if name == "set-cookie" else None
            headers[name] = f"{cookies}\n{value}" if cookies else value
        return code, headers

    def pieces(self, headers: Mapping[str, str]) -> Iterator[bytes]:
        """The body as it comes: HTTP chunks, or what each read gave."""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int(self._until(b"\r\n").split(b";")[0], 16):
                yield self._exactly(size)
                assert self._exactly(2) == b"\r\n"
            self._until(b"\r\n")
        elif "content-length" in headers:
            yield self._exactly(int(headers["content-length"]))
        else:
            while data := self._buffer or self.socket.recv(65536):
                self._buffer = b""
                yield data

    def reply(self) -> Reply:
        """Read one whole answer."""
        status, headers = self.head()
        if status in {204, 304} or self._asked == "HEAD":
            return Reply(status, headers, b"")
        return Reply(status, headers, b"".join(self.pieces(headers)))

    def _fill(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError(f"the server closed the connection after {self._buffer[:200]!r}")
        self._buffer += data

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            self._fill()
        taken, self._buffer = self._buffer.split(mark, 1)
        return taken

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._fill()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken
