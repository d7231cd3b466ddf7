"""The ASGI edge of `/auth/v1`: how members come in, and out. No page of another origin reads it."""

from typing import ClassVar

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from xinghe.accounts import AccountError
from xinghe.api.auth.address import client_address, trusted
from xinghe.api.auth.cookie import Cookie
from xinghe.api.auth.document import document
from xinghe.api.auth.handlers import Call, Handlers
from xinghe.api.auth.route import ROUTES, Route
from xinghe.api.body import BodyBudget
from xinghe.api.dialect import Dialect
from xinghe.api.edge import answer
from xinghe.api.errors import ApiError, Errors, shown, too_many
from xinghe.api.exchange import BODILESS, Exchange, Headers, read_body
from xinghe.api.priced import REALM
from xinghe.api.strict import StrictForm
from xinghe.core import ACCOUNT
from xinghe.observe import metrics
from xinghe.settings import Server
from xinghe.signin import (
    NotLetIn,
    NotOffered,
    ProviderFailed,
    SignIn,
    Slowed,
    Stale,
    Unknown,
)
from xinghe.signin.throttle import network

MOUNT = "/auth/v1"
MAX_BODY_BYTES = 16 * 1024
SECRET = frozenset({"password", "current", "new", "token", "invitation", "code"})
"""Fields of which no value is repeated."""

DOCUMENT = "/openapi.json"

_FORMS = {each.name: StrictForm(each.shape, SECRET) for each in ROUTES if each.shape is not None}


class AuthExchange(Exchange):
    """No page of another origin reads anything here."""

    cors: ClassVar[Headers] = []


class Auth:
    """Serves `/auth/v1`; every other path goes to `elsewhere`."""

    def __init__(
        self, server: Server, signin: SignIn, budget: BodyBudget, elsewhere: ASGIApp
    ) -> None:
        self._server = msgspec.structs.replace(server, max_body_bytes=MAX_BODY_BYTES)
        self._handlers = Handlers(signin, Cookie(secure=server.base_url.startswith("https:")))
        self._proxies = trusted(server)
        self._budget = budget
        self._elsewhere = elsewhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if path != MOUNT and not path.startswith(f"{MOUNT}/"):
            await self._elsewhere(scope, receive, send)
            return
        exchange = AuthExchange(scope, receive, send, Dialect.DOCUMENTED, self._budget)
        await answer(exchange, self._serve(exchange, path.removeprefix(MOUNT).rstrip("/")))

    async def _serve(self, exchange: Exchange, path: str) -> None:
        if (exchange.method, path) == ("GET", DOCUMENT):
            await exchange.send_json(document(MOUNT, ROUTES))
            return
        route = find(exchange.method, path)
        exchange.operation = f"auth.{route.name}"
        address = client_address(exchange.scope, self._proxies)
        ACCOUNT.set(f"address {network(address)}")
        with metrics.IN_FLIGHT.labels(exchange.operation).track_inprogress():
            given = await self._given(route, exchange)
            try:
                made = await route.work(self._handlers, Call(exchange, address), given)
            except Exception as fault:
                raise refusal(fault) or fault from None
            if made is not None:
                await exchange.send_json(made)

    async def _given(self, route: Route, exchange: Exchange) -> msgspec.Struct | None:
        if exchange.method in BODILESS:
            return None
        body = await read_body(exchange, self._server)
        form = _FORMS.get(route.name)
        if form is None:
            return None
        kind = (exchange.header(b"content-type") or "").partition(";")[0].strip().lower()
        if kind != "application/json":  # which no page of another origin may send
            raise ApiError(
                Errors.MALFORMED_JSON,
                f"the header Content-Type is {shown(kind)}, allowed: application/json",
            )
        return await form.read(body)


def find(method: str, path: str) -> Route:
    """Raises `ApiError` (404, 405)."""
    here = {each.method: each for each in ROUTES if each.path == path}
    if not here:
        paths = ", ".join(dict.fromkeys(MOUNT + each.path for each in ROUTES))
        raise ApiError(
            Errors.NO_SUCH_PATH, f"{path[:120]!r} is no path under {MOUNT}; there are: {paths}"
        )
    if method not in here:
        allowed = ", ".join(here)
        raise ApiError(
            Errors.METHOD_NOT_SUPPORTED,
            f"Only {allowed} requests are accepted",
            headers=[("Allow", allowed)],
        )
    return here[method]


def refusal(fault: Exception) -> ApiError | None:
    """What is said of a fault of `SignIn`'s; None for one that is anybody's."""
    known: ApiError | None = None
    match fault:
        case Slowed():
            text = "too many sign-ins of this name or address lately"
            known = too_many(Errors.USER_RATE_LIMIT, text, fault.retry_after)
        case NotOffered():
            known = ApiError(Errors.NO_SUCH_PATH, f"{fault} is not offered here")
        case Unknown():
            text = "nobody here is known by this identity: join by an invitation"
            known = ApiError(Errors.INVALID_TOKEN, f"{REALM}: {text}")
        case NotLetIn():
            text = "what was sent is wrong, or was ended, or is used up"
            known = ApiError(Errors.INVALID_TOKEN, f"{REALM}: {text}")
        case Stale():
            text = "this needs a sign-in of the last ten minutes: sign in again"
            known = ApiError(Errors.NO_PARAMETER_PERMISSION, text)
        case AccountError():
            known = ApiError(Errors.MALFORMED_JSON, str(fault))
        case ProviderFailed():
            text = "the OpenID provider cannot be reached, or answers wrongly: try again later"
            known = ApiError(Errors.DISPATCH_ERROR, text)
    return known
