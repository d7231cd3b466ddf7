"""A web server on a real socket, in a thread of its own: it has the files that a test gives it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ENDLESS = "/endless"
"""A file that comes byte by byte and never ends."""


class Files:
    """`held` are the files by path; `asked` and `left` are set when `ENDLESS` is and its reader."""

    def __init__(self) -> None:
        self.port = 0
        self.held: dict[str, bytes] = {}
        self.asked, self.left = threading.Event(), threading.Event()


@contextmanager
def files() -> Iterator[Files]:
    shelf = Files()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            if self.path == ENDLESS:
                self.end_headers()
                self.drip()
                return
            data = shelf.held[self.path]
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def drip(self) -> None:
            shelf.asked.set()
            try:
                while True:
                    self.wfile.write(b".")
                    time.sleep(0.05)
            except ConnectionError:
                shelf.left.set()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        threading.Thread(target=running.serve_forever, daemon=True).start()
        shelf.port = running.server_port
        yield shelf
        running.shutdown()
