"""Between client and server: loses what is told, on one side of a commit or the other."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

COMMIT = b"COMMIT\0"

Losing = Literal["nothing", "the commit", "its answer"]


class Proxy:
    """Listens in a folder of its own; what it loses, it loses once."""

    def __init__(self, folder: Path, server: str) -> None:
        self.folder = folder
        self.losing: Losing = "nothing"
        self._server = server
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                lost = threading.Event()
                for one, other, asks in ((client, server, True), (server, client, False)):
                    arguments = (one, other, asks, lost)
                    threading.Thread(target=self._pass_on, args=arguments, daemon=True).start()

    def _pass_on(
        self, one: socket.socket, other: socket.socket, asks: bool, lost: threading.Event
    ) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if asks and COMMIT in data and self.losing != "nothing":
                    losing, self.losing = self.losing, "nothing"
                    if losing == "the commit":
                        break
                    lost.set()
                elif not asks and lost.is_set():
                    break  # it was done, and nobody hears of it
                other.sendall(data)
        for each in (one, other):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy(folder: Path, url: str) -> Iterator[tuple[Proxy, str]]:
    """One before the server of a URL, and the URL through it."""
    server = url.partition("host=")[2].partition("&")[0]
    folder.mkdir()
    running = Proxy(folder, f"{server}/.s.PGSQL.5432")
    try:
        yield running, url.replace(server, str(folder))
    finally:
        running.close()
