"""A SearXNG on a real socket, in a thread of its own: what it finds is what the test says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Searxng:
    """`found` are its results, `queries` what it was asked; it may be slow, or fail."""

    def __init__(self) -> None:
        self.url = ""
        self.found: list[dict[str, str]] = []
        self.queries: list[str] = []
        self.delay = 0.0
        self.status = 200


@contextmanager
def searxng() -> Iterator[Searxng]:
    instance = Searxng()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            instance.queries.append(self.path)
            time.sleep(instance.delay)
            body: dict[str, Any] = {"results": instance.found}
            data = json.dumps(body).encode()
            self.send_response(instance.status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        instance.url = f"http://127.0.0.1:{running.server_port}"
        yield instance
        running.shutdown()
