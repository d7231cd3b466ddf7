"""A browser, or a program, that signs in: raw requests from an address of its own."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

from tests.kit.raw import Connection, Reply

_places = itertools.count(1)


class Visitor:
    """Comes by a trusted proxy; keeps the cookie and, once it is signed in, the session."""

    def __init__(self, url: str) -> None:
        place = next(_places)
        self.url = url
        self.address = f"203.0.{place // 250}.{place % 250}"
        self.cookie = ""
        self.session = ""

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        mount: str = "/auth/v1",
    ) -> Reply:
        sent = {"X-Forwarded-For": self.address}
        if body is not None:
            sent["Content-Type"] = "application/json"
        if self.cookie:
            sent["Cookie"] = self.cookie
        if self.session:
            sent["Authorization"] = f"Bearer {self.session}"
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        with Connection(self.url) as connection:
            connection.request(method, f"{mount}{path}", data, sent | dict(headers or {}))
            reply = connection.reply()
        if "set-cookie" in reply.headers:
            self.cookie = reply.headers["set-cookie"].partition(";")[0]
        return reply

    def get(self, path: str) -> Reply:
        return self.send("GET", path)

    def post(self, path: str, **fields: Any) -> Reply:
        return self.send("POST", path, fields)

    def come_in(self, path: str, **fields: Any) -> Any:
        """Sign in by this; the session is kept."""
        reply = self.post(path, **fields)
        assert reply.status == 200, reply.text
        self.session = reply.json["token"]
        return reply.json
