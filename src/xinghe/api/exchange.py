"""One request and its answer, as the operations see them."""

import asyncio
import os
import re
import string
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, ClassVar

import msgspec
from starlette.types import Receive, Scope, Send

from xinghe.accounts import Principal
from xinghe.api.body import Body, BodyBudget
from xinghe.api.dialect import Dialect
from xinghe.api.error_form import OPENAI_ERRORS, ErrorForm
from xinghe.api.errors import ApiError, Errors, shown
from xinghe.api.large_json import MAX_STRING
from xinghe.catalog import ModelCard
from xinghe.core import ClientGone
from xinghe.dispatch import AnyLeased, Serving
from xinghe.settings import Server
from xinghe.storage import Connection

_ALPHABET = string.ascii_lowercase + string.digits
_ID_LENGTH = 10
JSON = (b"content-type", b"application/json; charset=utf-8")
NO_STORE = (b"cache-control", b"no-store")
"""On every answer but images behind a URL: what was said to one client is for no cache."""
_EXPOSED = (
    b"x-request-id, request-id, x-served-by, x-ignored-parameters, x-adjusted-parameters, "
    b"retry-after, idempotent-replayed, x-estimated-first-token, "
    b"x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, "
    b"x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens"
)
"""What a page in a browser may read."""

BODILESS = ("GET", "HEAD", "OPTIONS")

_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")

LINGER_SECONDS = 10.0
"""For how long the rest of a body is read and thrown away after an early refusal."""
SILENCE = 1.0
"""Seconds without a byte after which nothing more of it is expected."""

ABORT = "xinghe.abort"
"""The ASGI extension by which a connection is cut off: `scope["extensions"][ABORT]["abort"]()`."""

WRITE = "xinghe.write"
"""The ASGI extension by which a piece of an answer leaves without a wait: its `write` is for who
sends by its `send`, and false where the piece is to be sent by that."""

COUNTED = "xinghe.counted"
"""The ASGI extension of a request that is part of one which has counted: no more than that does
it count in the limits of requests."""

PLAYGROUND = "xinghe.playground"
"""The ASGI extension of a request that the console's playground hands on: its session may call
models, as the playground's token. No client can set it."""

PROGRESS = "xinghe.progress"
"""The ASGI extension by which whoever asks in this process is told how far the work is:
`scope["extensions"][PROGRESS]["tell"](done, total)`."""

Headers = list[tuple[bytes, bytes]]

AS = "as-"
"""What the ids of requests begin with."""
NOBODY = Principal(0, "", "", 0, "", scopes=frozenset(), models=frozenset())
"""The principal until the real one is known: it may do nothing."""


def new_request_id() -> str:
    """`as-` + 10 of `[a-z0-9]`, as the service's own ids look."""
    number = int.from_bytes(os.urandom(8))
    letters = []
    for _ in range(_ID_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[digit])
    return AS + "".join(letters)


def named_as(prefix: str, request_id: str) -> str:
    """The id of what belongs to a request: a prefix of its own before the same characters."""
    return prefix + request_id.removeprefix(AS)


class Exchange:
    """Carries a request through the service: its principal, its dialect, and how to answer."""

    cors: ClassVar[Headers] = [
        (b"access-control-allow-origin", b"*"),
        (b"access-control-expose-headers", _EXPOSED),
    ]

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, dialect: Dialect, budget: BodyBudget
    ) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.receive = receive
        self.send = send
        self.dialect = dialect
        self.request_id = new_request_id()
        self.created = int(time.time())
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.extra_headers: Headers = []
        self.principal = NOBODY
        self.operation = ""
        self.errors: ErrorForm = OPENAI_ERRORS
        self.logged_path: str = scope["path"][:200]
        self.path_id = ""
        """What stands in the path for `{id}`."""
        self.model = ""
        self.status = 0
        self.error_code = ""
        self.charged = False
        """Whether it has cost anything, now that it is over."""
        self.body_read = self.method in BODILESS
        self.body_read_at = time.perf_counter()
        self.waited = 0.0
        """Seconds until it had its places among concurrent requests."""
        self.body: Body | None = None
        """What was read and not decoded yet."""
        self.missing = 0
        """Characters of the body that were too many to be kept."""
        self.store: Callable[[Connection, bytes], None] | None = None
        """Stores the answer for its Idempotency-Key, in the transaction that does the work."""
        self.budget = budget
        self._reserved = 0
        self._serving: Serving | None = None
        self._leased: Sequence[AnyLeased] = ()

    @property
    def serving(self) -> Serving:
        """What serves this request, whatever is changed meanwhile; there once it has begun."""
        assert self._serving is not None
        return self._serving

    @property
    def answered(self) -> bool:
        """Whether the status line has left: from then on an error can only be an event."""
        return self.status != 0

    @property
    def counted(self) -> bool:
        """Whether it has counted in the limits of requests already."""
        return COUNTED in self.scope.get("extensions", {})

    @property
    def at_playground(self) -> bool:
        """Whether the console's playground hands it on."""
        return PLAYGROUND in self.scope.get("extensions", {})

    def tell_progress(self, done: int, total: int) -> None:
        """That so many of all steps are done; nobody may be there who wants to know."""
        extension = self.scope.get("extensions", {}).get(PROGRESS)
        if extension is not None:
            extension["tell"](done, total)

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def header_values(self, name: bytes) -> list[str]:
        """One value for each time that a header stands in the request."""
        return [value.decode("latin-1") for each, value in self.scope["headers"] if each == name]

    def add_header(self, name: str, value: str) -> None:
        self.extra_headers.append((name.encode("latin-1"), value.encode("latin-1", "replace")))

    def set_header(self, name: str, value: str) -> None:
        """The same, in place of what was added under that name."""
        sent = name.encode("latin-1")
        self.extra_headers = [each for each in self.extra_headers if each[0] != sent]
        self.add_header(name, value)

    async def start(self, status: int, headers: Headers) -> None:
        """Begin the answer."""
        self.status = status
        headers = self.whole_head(headers)
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    def whole_head(self, headers: Headers) -> Headers:
        """These headers of an answer, and those that every answer has."""
        ours = [NO_STORE, (b"x-request-id", self.request_id.encode()), *self.cors]
        return [*headers, *ours, *self.extra_headers]

    def write(self, data: bytes) -> bool:
        """Send a piece of an answer that has begun, unless that may have to wait."""
        extension = self.scope.get("extensions", {}).get(WRITE)
        # Whoever has put a `send` of its own there is to see every piece.
        ours = extension is not None and extension["send"] == self.send
        return ours and extension["write"](data)

    async def send_json(self, body: Any, status: int = 200, headers: Headers | None = None) -> None:
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        length = (b"content-length", str(len(data)).encode())
        await self.start(status, [JSON, length, *(headers or [])])
        if self.body_read:
            await self.send({"type": "http.response.body", "body": data})
            return
        await self.send({"type": "http.response.body", "body": data, "more_body": True})
        # A client that awaits leave to send its body has the answer now.
        if self.header(b"expect") is None:
            await linger(self.receive)
        await self.send({"type": "http.response.body", "body": b""})

    async def send_error(self, error: ApiError) -> None:
        """Answer with a refusal: the whole answer, or an event where a stream has begun."""
        self.error_code = error.row.code
        if self.answered:
            data = self.errors.event(error, self.request_id)
            await self.send({"type": "http.response.body", "body": data})
            return
        headers: Headers = []
        if error.retry_after is not None:
            headers.append((b"retry-after", str(error.retry_after).encode()))
        headers += [(name.lower().encode(), value.encode()) for name, value in error.headers]
        if not self.body_read:
            self.close()
            headers.append((b"connection", b"close"))
        body = self.errors.body(error, self.request_id)
        await self.send_json(body, self.errors.status(error), headers)

    def begin(self, serving: Serving, card: ModelCard) -> None:
        """Keep to what serves now, and hold who serves the model until the request is over."""
        self._serving = serving
        self._leased = serving.deployments.behind(card)
        for each in self._leased:
            each.take()

    async def reserve(self, size: int) -> None:
        """Count bytes that stay in memory for this request. Raises `ApiError`."""
        await self.budget.take(size)
        self._reserved += size

    def close(self) -> None:
        """The request is over: what it kept counts no more."""
        self.body = None
        self.budget.give(self._reserved)
        self._reserved = 0
        leased, self._leased = self._leased, ()
        for each in leased:
            each.give_back()

    def abort(self) -> None:
        """Cut the connection off: what a stalled reader has not taken is thrown away."""
        extension = self.scope.get("extensions", {}).get(ABORT)
        if extension is not None:
            extension["abort"]()

    async def gone(self) -> None:
        """Return when the client has left. Only after the body was read."""
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                return
            await asyncio.sleep(0)

    def origin(self, server: Server) -> str:
        """What links to the service begin with: `server.public_url`, or the host as it was asked.

        Nobody else is given the link, so a client that lies about its host deceives itself.
        """
        host = self.header(b"host") or ""
        if server.public_url or not _HOST.fullmatch(host):
            return server.base_url
        return f"{self.scope['scheme']}://{host}"


async def linger(receive: Receive) -> None:
    """Throw the rest of a body away: until its end, the client's, or long enough.

    A connection that is closed with unread bytes is reset, and the client then loses the
    answer that says why (RFC 9112, section 9.6).
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while True:
                async with asyncio.timeout(SILENCE):
                    message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return


def check_whole(exchange: Exchange) -> None:
    """Raises `ApiError` (413) where a string was not kept whole."""
    if exchange.missing:
        raise ApiError(
            Errors.REQUEST_TOO_LARGE,
            f"the body has a string of more than {MAX_STRING} bytes, allowed: up to {MAX_STRING}",
        )


async def read_body(exchange: Exchange, server: Server, *, hashed: bool = False) -> Body:
    """The body; a second reader is given the same. `hashed`: its digest will be asked for.

    Raises `ApiError`, `ClientGone`.
    """
    if exchange.body is not None:
        return exchange.body
    encoding = exchange.header(b"content-encoding")
    if encoding not in (None, "", "identity"):
        raise ApiError(
            Errors.MALFORMED_JSON,
            f"the header Content-Encoding is {shown(encoding)}, allowed: identity",
        )
    declared = exchange.header(b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > server.max_body_bytes:
        raise _too_large(int(declared), server.max_body_bytes)
    body = Body(server.max_body_values, hashed=hashed)
    try:
        async with asyncio.timeout(server.body_timeout):
            while not exchange.body_read:
                message = await exchange.receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                part: bytes = message.get("body", b"")
                if body.size + len(part) > server.max_body_bytes:
                    raise _too_large(body.size + len(part), server.max_body_bytes)
                await exchange.reserve(len(part))
                exchange.body_read = not message.get("more_body", False)
                await body.add(part)
    except TimeoutError:
        raise ApiError(
            Errors.REQUEST_TIMEOUT, f"the body did not arrive within {server.body_timeout:g} s"
        ) from None
    exchange.body = body
    return body


def _too_large(size: int, max_bytes: int) -> ApiError:
    return ApiError(
        Errors.REQUEST_TOO_LARGE, f"the body has {size} bytes or more, allowed: up to {max_bytes}"
    )
