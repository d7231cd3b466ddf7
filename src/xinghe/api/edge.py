"""The ASGI edge of the API mounts: path, method, identity, operation; every answer is JSON.

Identity and rights are those of the contract's section "Identity and headers".
"""

import asyncio
import time
from collections.abc import Awaitable, Collection, Mapping

import msgspec
import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from xinghe.accounts import Principal, Principals
from xinghe.api.body import BodyBudget
from xinghe.api.dialect import Dialect
from xinghe.api.errors import ApiError, Errors, as_api_error, stopped
from xinghe.api.exchange import NOBODY, Exchange
from xinghe.api.idempotency import HEADER, Handler, IdempotencyLayer
from xinghe.api.operations import OPERATIONS
from xinghe.api.paths import error_form, find_mount, find_operation
from xinghe.api.priced import REALM
from xinghe.core import ACCOUNT, ClientGone
from xinghe.dispatch import Live
from xinghe.limits import MEMBER, Ask, Rates, per_second
from xinghe.observe import live, logs, metrics
from xinghe.storage import now
from xinghe.usage.failures import Failed, Failures

log = structlog.get_logger(__name__)

PREFLIGHT = [
    (b"access-control-allow-methods", b"GET, POST, DELETE, OPTIONS"),
    (b"access-control-allow-headers", b"*, authorization, content-type"),
    (b"access-control-max-age", b"86400"),
]
PRICED = {each.name for each in OPERATIONS if each.forms and not each.free}


class Edge(msgspec.Struct):
    """Serves the operations at the API mounts; every other path goes to `elsewhere`.

    `handlers` are those of the operations, by their names.
    """

    principals: Principals
    limiter: Rates
    live: Live
    budget: BodyBudget
    idempotency: IdempotencyLayer
    failures: Failures
    handlers: Mapping[str, Handler]
    elsewhere: ASGIApp

    def __post_init__(self) -> None:
        missing = {each.name for each in OPERATIONS} - self.handlers.keys()
        assert not missing, f"no handlers of {missing}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        mount = find_mount(scope["path"]) if scope["type"] == "http" else None
        if mount is None:
            await self.elsewhere(scope, receive, send)
            return
        dialect, path = mount
        exchange = Exchange(scope, receive, send, dialect, self.budget)
        try:
            await answer(exchange, self._serve(exchange, path))
        finally:
            if _has_failed(exchange):
                self.failures.note(_failed(exchange))

    async def _serve(self, exchange: Exchange, path: str) -> None:
        if exchange.method == "OPTIONS":
            await exchange.start(204, PREFLIGHT)
            await exchange.send({"type": "http.response.body", "body": b""})
            return
        exchange.errors = error_form(path, exchange.dialect)
        operation, exchange.path_id = find_operation(path, exchange.method, exchange.dialect)
        handler = self.handlers[operation.name]
        exchange.operation = operation.name
        exchange.principal = await authenticate(exchange, self.principals, operation.scopes)
        ACCOUNT.set(str(exchange.principal.member_id))
        # Before the body is read: a client that asks too often costs no more than this.
        qps = self.live.now.catalog.limits.qps
        if qps and not exchange.counted:
            owner = exchange.principal.member_id
            await self.limiter.take([Ask(("qps", owner, ""), MEMBER, per_second(qps))])
        with metrics.child(metrics.IN_FLIGHT, operation.name).track_inprogress():
            if operation.method == "POST" and HEADER in exchange.headers:
                await self.idempotency(exchange, handler)
            else:
                await handler(exchange)


async def answer(exchange: Exchange, work: Awaitable[None]) -> None:
    """Whatever comes of the work, the client gets an answer, and the log a line."""
    with logs.of_request(exchange.request_id):
        try:
            await work
        except ClientGone:
            exchange.error_code = "client_gone"
            metrics.CLIENTS_GONE.labels("left").inc()
        except asyncio.CancelledError:
            # The grace period of a shutdown is over: even then the client gets an answer.
            await exchange.send_error(stopped(exchange.request_id))
        except Exception as fault:  # the edge: whatever happened below, the client gets an answer
            await exchange.send_error(as_api_error(fault, exchange.request_id, exchange.dialect))
        finally:
            exchange.close()
            _record(exchange)


def bearer(exchange: Exchange) -> str:
    """What was sent as `Authorization: Bearer`, or as `x-api-key` at `/v1`.

    Raises `ApiError` (401).
    """
    if len(exchange.header_values(b"authorization")) > 1:
        raise ApiError(
            Errors.INVALID_TOKEN, f"{REALM}: the header Authorization was sent more than once"
        )
    header = exchange.header(b"authorization")
    if not header and exchange.dialect is Dialect.OPENAI:
        keys = set(exchange.header_values(b"x-api-key"))  # Anthropic's clients send it so
        if len(keys) == 1:
            return keys.pop()
    if not header:
        raise ApiError(
            Errors.INVALID_TOKEN, f"{REALM}: send the header Authorization: Bearer <access token>"
        )
    kind, _, secret = header.partition(" ")
    # Blanks before it are HTTP's (RFC 9110, section 11.4); `strip` would take more for one.
    return secret.lstrip(" ") if kind.lower() == "bearer" else ""


async def authenticate(
    exchange: Exchange, principals: Principals, scopes: Collection[str]
) -> Principal:
    """The owner of the bearer token, which has one of the scopes. Raises `ApiError` (401)."""
    secret = bearer(exchange)
    asked = principals.at_playground if exchange.at_playground else principals.authenticate
    principal = await asked(secret)
    if principal is None:
        raise ApiError(
            Errors.INVALID_TOKEN, f"{REALM}: the access token is unknown, revoked or expired"
        )
    if principal.scopes.isdisjoint(scopes):
        raise ApiError(
            Errors.NO_PARAMETER_PERMISSION,
            f"the access token lacks the scope {' or '.join(scopes)} of this operation",
        )
    appid = exchange.header(b"appid")
    if appid is not None and appid != principal.appid:
        raise ApiError(Errors.INVALID_APPID, "No permission to use the appid")
    return principal


def _record(exchange: Exchange) -> None:
    """One line and one count for every request."""
    seconds = time.perf_counter() - exchange.body_read_at
    operation = exchange.operation or "none"
    status, code = exchange.status, exchange.error_code
    metrics.child(metrics.REQUESTS, operation, exchange.model, str(status), code).inc()
    metrics.child(metrics.DURATION, operation).observe(seconds)
    ms = round(seconds * 1000, 1)
    if operation in PRICED:
        principal = exchange.principal
        live.WINDOW.ended(
            live.Ended(
                at=now(),
                request_id=exchange.request_id,
                appid=principal.appid,
                member=principal.member_name,
                operation=operation,
                model=exchange.model,
                status=exchange.status,
                code=exchange.error_code,
                ms=ms,
            )
        )
    log.info(
        "request",
        method=exchange.method,
        path=exchange.logged_path,
        status=exchange.status,
        code=exchange.error_code or None,
        model=exchange.model or None,
        appid=exchange.principal.appid or None,
        ms=ms,
    )


def _has_failed(exchange: Exchange) -> bool:
    """Whether a request for something that costs came to nothing; nobody's leaves no trace."""
    known, priced = exchange.principal is not NOBODY, exchange.operation in PRICED
    return known and priced and bool(exchange.error_code) and not exchange.charged


def _failed(exchange: Exchange) -> Failed:
    principal = exchange.principal
    return Failed(
        wallet_id=principal.wallets[0],
        member_id=principal.member_id,
        token_id=principal.token_id,
        request_id=exchange.request_id,
        at=now(),
        operation=exchange.operation,
        model=exchange.model,
        status=exchange.status,
        code=exchange.error_code,
        total_ms=round((time.perf_counter() - exchange.body_read_at) * 1000),
    )
