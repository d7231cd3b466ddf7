"""A payment service over real HTTP: the buyer pays at its page, and it tells by signed events.

It signs with what Standard Webhooks says written out, not with the library that the product uses.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import threading
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.kit.raw import Connection

KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()
_numbers = itertools.count(1)


def signature(key: str, event_id: str, timestamp: str, body: bytes) -> str:
    secret = base64.b64decode(key.removeprefix("whsec_"))
    whole = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, whole, hashlib.sha256).digest()).decode()


@dataclass(frozen=True)
class Told:
    """An event; sent again, it is the same."""

    type: str
    data: Mapping[str, Any]
    id: str = field(default_factory=lambda: f"msg_{next(_numbers)}")

    @property
    def body(self) -> bytes:
        said = {"type": self.type, "timestamp": "2026-11-30T12:00:00Z", "data": self.data}
        return json.dumps(said).encode()

    def signed(self, key: str = KEY, *, off: int = 0) -> dict[str, str]:
        """The headers; `off` seconds from now."""
        timestamp = str(int(time.time()) + off)
        return {
            "webhook-id": self.id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signature(key, self.id, timestamp, self.body),
        }


@dataclass(frozen=True)
class Answer:
    status: int
    json: Any

    @property
    def outcome(self) -> str:
        assert self.status == 200, self
        return str(self.json["outcome"])


@dataclass(frozen=True)
class Bill:
    """What the buyer was sent here to pay; `reference` is the payment's own."""

    order: str
    price: str
    currency: str
    reference: str = field(default_factory=lambda: f"pay_{next(_numbers)}")

    def again(self) -> Bill:
        """The buyer pays a second time."""
        return replace(self, reference=f"pay_{next(_numbers)}")

    def succeeded(self, **other: Any) -> Told:
        """`other` stands in place of what is right."""
        data = {"order": self.order, "reference": self.reference}
        data |= {"amount": self.price, "currency": self.currency}
        return Told("payment.succeeded", data | other)

    def failed(self) -> Told:
        return Told("payment.failed", {"order": self.order, "reference": self.reference})


class Payer:
    """Its page is at `checkout_url`; `name` is what the product calls it."""

    def __init__(self, name: str = "bridge") -> None:
        self.name = name
        self.visits: dict[str, Bill] = {}
        """By order."""
        self._page = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def checkout_url(self) -> str:
        port = self._page.server_address[1]
        return f"http://127.0.0.1:{port}/pay?order={{order}}&price={{price}}&in={{currency}}"

    @property
    def settings(self) -> dict[str, str]:
        """What the product has in its environment."""
        at = f"XINGHE_PAYMENT__PROVIDERS__{self.name.upper()}__"
        return {
            "XINGHE_PAYMENT__PROVIDER": self.name,
            f"{at}SECRET": KEY,
            f"{at}CHECKOUT_URL": self.checkout_url,
        }

    def __enter__(self) -> Self:
        threading.Thread(target=self._page.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._page.shutdown()
        self._page.server_close()

    def visited(self, url: str) -> Bill:
        """A buyer's browser goes where the product sends it."""
        parts = urllib.parse.urlsplit(url)
        with Connection(f"{parts.scheme}://{parts.netloc}") as browser:
            browser.request("GET", f"{parts.path}?{parts.query}")
            assert browser.reply().status == 200
        return self.visits[urllib.parse.parse_qs(parts.query)["order"][0]]

    def send(self, product: str, told: Told, headers: Mapping[str, str] | None = None) -> Answer:
        """Deliver an event; `headers` in place of those that it is signed with."""
        with Connection(product) as connection:
            sent = told.signed() if headers is None else dict(headers)
            connection.request("POST", f"/payments/{self.name}", told.body, sent)
            reply = connection.reply()
        return Answer(reply.status, reply.json)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        visits = self.visits

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                order, price, currency = (asked[name][0] for name in ("order", "price", "in"))
                visits[order] = Bill(order, price, currency)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"thank you")

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
                pass

        return Page
