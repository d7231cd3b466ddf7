"""The ASGI edge of `/admin/v1`: path, method, identity, limits; a body or a query; rights; work.

What is authorized is the operation that was found, and what it is about: no text of the URL.
"""

from functools import partial
from typing import Any, ClassVar
from urllib.parse import unquote_to_bytes

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from xinghe.accounts import AccountError
from xinghe.accounts.rights import RIGHTS, refused_fields
from xinghe.admin.openapi import MOUNT, SCOPE, document
from xinghe.admin.operation import JSON, AdminServices, Call, Operation
from xinghe.admin.table import OPERATIONS
from xinghe.api.dialect import Dialect
from xinghe.api.edge import answer, authenticate
from xinghe.api.errors import ApiError, Errors, refuse
from xinghe.api.exchange import BODILESS, Exchange, Headers, read_body
from xinghe.api.idempotency import HEADER, IdempotencyLayer
from xinghe.core import ACCOUNT
from xinghe.limits import MEMBER, Ask, per_minute, per_second
from xinghe.observe import metrics
from xinghe.settings import Server

DOCUMENT = "/openapi.json"


class AdminExchange(Exchange):
    """No page of another origin reads anything here."""

    cors: ClassVar[Headers] = []


class Admin:
    """Serves the operators' operations; every other path goes to `elsewhere`."""

    def __init__(self, services: AdminServices, elsewhere: ASGIApp) -> None:
        self.services = services
        self.elsewhere = elsewhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if path != MOUNT and not path.startswith(f"{MOUNT}/"):
            await self.elsewhere(scope, receive, send)
            return
        services = self.services
        exchange = AdminExchange(scope, receive, send, Dialect.DOCUMENTED, services.budget)
        await answer(exchange, self._serve(exchange))

    async def _serve(self, exchange: Exchange) -> None:
        raw = exchange.scope["raw_path"].decode("latin-1").removeprefix(MOUNT).rstrip("/")
        if raw == DOCUMENT and exchange.method == "GET":
            await exchange.send_json(document())
            return
        operation, path = find(exchange.method, raw)
        exchange.operation = f"admin.{operation.name}"
        exchange.logged_path = MOUNT + operation.path  # as it is, it may name a person
        exchange.path_id = raw
        principal = await authenticate(exchange, self.services.principals, [SCOPE])
        exchange.principal = principal
        ACCOUNT.set(str(principal.member_id))
        await self._admit(exchange)
        if b"if-match" in exchange.headers and not operation.conditional:
            raise ApiError(
                Errors.MALFORMED_JSON, "the header If-Match is not taken by this operation"
            )
        run = partial(self._run, operation, path)
        with metrics.IN_FLIGHT.labels(exchange.operation).track_inprogress():
            if HEADER not in exchange.headers:
                await run(exchange)
            elif operation.repeatable:
                layer = IdempotencyLayer(self.services.store, self._server(operation))
                await layer(exchange, run)
            else:
                raise ApiError(
                    Errors.MALFORMED_JSON,
                    "the header Idempotency-Key is not taken by this operation: it changes "
                    "nothing that it has changed before, or its answer may not be stored",
                )

    async def _admit(self, exchange: Exchange) -> None:
        """Before the body is read. Raises `RateLimited`."""
        owner, limits = exchange.principal.member_id, self.services.live.now.catalog.limits
        asks: list[Ask] = []
        if exchange.counted:
            return
        if limits.qps:
            asks.append(Ask(("qps", owner, ""), MEMBER, per_second(limits.qps)))
        if limits.rpm:
            asks.append(Ask(("rpm", owner, SCOPE), MEMBER, per_minute("rpm", limits.rpm)))
        for name, value in (await self.services.limiter.take(asks)).headers:
            exchange.add_header(name, value)

    async def _run(self, operation: Operation, path: dict[str, str], exchange: Exchange) -> None:
        given = await self._given(operation, exchange)
        if exchange.method not in BODILESS:
            # Who could hold back the end of a body would keep a role that he has lost since.
            exchange.principal = await authenticate(exchange, self.services.principals, [SCOPE])
        call = Call(self.services, exchange, path, given)
        await operation.about(call)
        _authorize(operation, call)
        try:
            answered = await operation.work(call)
        except AccountError as error:
            raise _cannot(operation, str(error)) from error
        await exchange.send_json(JSON.encode(answered), headers=call.headers)

    def _server(self, operation: Operation) -> Server:
        """The limits of its bodies."""
        server = self.services.server
        most = min(server.max_body_bytes, operation.max_body_bytes)
        return msgspec.structs.replace(server, max_body_bytes=most)

    async def _given(self, operation: Operation, exchange: Exchange) -> Any:
        """What the body says, or the query."""
        if operation.query is not None:
            return operation.query.read(exchange.scope["query_string"])
        if exchange.scope["query_string"]:
            name = exchange.scope["query_string"].decode("latin-1")
            raise refuse("the query", name, "none for this operation")
        if exchange.method in BODILESS:
            return None
        body = await read_body(exchange, self._server(operation))
        if operation.form is not None:
            return await operation.form.read(body)
        if body.size:
            raise ApiError(Errors.MALFORMED_JSON, "this operation takes no body")
        return None


def find(method: str, raw: str) -> tuple[Operation, dict[str, str]]:
    """The operation at a path under the mount, and what stands there for each name in braces.

    `raw` is percent-encoded: a name may hold a slash. Raises `ApiError` (404, 405).
    """
    segments = raw.split("/")
    fitting = [each for each in OPERATIONS if _fits(each.path.split("/"), segments)]
    if not fitting:
        raise ApiError(
            Errors.NO_SUCH_PATH,
            f"{MOUNT}{raw[:120]} is no path of the operators' API; {MOUNT}{DOCUMENT} lists all",
        )
    found = next((each for each in fitting if each.method == method), None)
    if found is None:
        methods = ", ".join(each.method for each in fitting)
        raise ApiError(
            Errors.METHOD_NOT_SUPPORTED,
            f"Only {methods} requests are accepted",
            headers=[("Allow", methods)],
        )
    try:
        texts = [unquote_to_bytes(each).decode() for each in segments]
    except UnicodeDecodeError:
        raise ApiError(Errors.NO_SUCH_PATH, "the path is not in UTF-8") from None
    names = zip(found.path.split("/"), texts, strict=True)
    return found, {name[1:-1]: text for name, text in names if name.startswith("{")}


def _fits(template: list[str], segments: list[str]) -> bool:
    return len(template) == len(segments) and all(
        segment == part or (part.startswith("{") and segment)
        for part, segment in zip(template, segments, strict=True)
    )


def _authorize(operation: Operation, call: Call[Any]) -> None:
    """Raises `ApiError` (403)."""
    if not call.relations & RIGHTS[operation.name].who:
        raise ApiError(
            Errors.NOT_PERMITTED, f"{operation.name} is not permitted to {_who(call)} here"
        )
    form = operation.form
    sent = [] if form is None else form.set_in(call.given)
    refused = refused_fields(call.relations, operation.name, sent)
    if refused:
        raise ApiError(
            Errors.NOT_PERMITTED, f"{refused[0]} may not be set by {_who(call)}", param=refused[0]
        )


def _cannot(operation: Operation, message: str) -> ApiError:
    """What a service says of its own: a field is wrong, or something is in the way.

    Not a 409, which clients try again by themselves: as it is, it will be refused again.
    """
    field, colon, _ = message.partition(": ")
    if colon and operation.form is not None and field in operation.form.names:
        return ApiError(Errors.MALFORMED_JSON, message, param=field)
    return ApiError(Errors.CONFLICT, message)


def _who(call: Call[Any]) -> str:
    return " and ".join(sorted(call.relations)) or "this member"
