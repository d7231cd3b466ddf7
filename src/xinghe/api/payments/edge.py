"""The ASGI edge of `/payments/{provider}`: the signature is the right, no token is asked for.

Whatever is not signed costs little: its headers are looked at before its body is read.
"""

from collections.abc import Mapping
from typing import ClassVar

import msgspec
import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from xinghe.api.auth.address import client_address, trusted
from xinghe.api.body import BodyBudget
from xinghe.api.dialect import Dialect
from xinghe.api.edge import answer
from xinghe.api.errors import ApiError, Errors, refuse, too_many
from xinghe.api.exchange import Exchange, Headers, read_body
from xinghe.api.payments.document import document
from xinghe.api.payments.schema import PaymentReceived
from xinghe.core import ACCOUNT
from xinghe.limits import Ask, Limiter, RateLimited, per_second
from xinghe.observe import metrics
from xinghe.sales.payment import Event, NotSigned, Reporting, WrongEvent, receive
from xinghe.settings import Server
from xinghe.signin.throttle import network
from xinghe.storage import Database

log = structlog.get_logger(__name__)

MOUNT = "/payments"
DOCUMENT = f"{MOUNT}/openapi.json"
MAX_BODY_BYTES = 64 * 1024
PER_SECOND = 100
"""Requests of one address."""


class PaymentExchange(Exchange):
    """No page of another origin reads anything here."""

    cors: ClassVar[Headers] = []


class Payments:
    """Serves `/payments`; every other path goes to `elsewhere`."""

    def __init__(
        self,
        server: Server,
        providers: Mapping[str, Reporting],
        database: Database,
        budget: BodyBudget,
        elsewhere: ASGIApp,
    ) -> None:
        # As many values as there are bytes: a body is kept as it came, for its signature.
        self._server = msgspec.structs.replace(
            server, max_body_bytes=MAX_BODY_BYTES, max_body_values=MAX_BODY_BYTES
        )
        self._proxies = trusted(server)
        self._providers = providers
        self._database = database
        self._budget = budget
        self._limiter = Limiter()
        self._elsewhere = elsewhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if path != MOUNT and not path.startswith(f"{MOUNT}/"):
            await self._elsewhere(scope, receive, send)
            return
        exchange = PaymentExchange(scope, receive, send, Dialect.DOCUMENTED, self._budget)
        await answer(exchange, self._serve(exchange, path))

    async def _serve(self, exchange: Exchange, path: str) -> None:
        if (exchange.method, path) == ("GET", DOCUMENT):
            await exchange.send_json(document(f"{MOUNT}/{{provider}}"))
            return
        self._admit(network(client_address(exchange.scope, self._proxies)))
        name = path.removeprefix(f"{MOUNT}/")
        provider = self._providers.get(name)
        if provider is None:
            raise ApiError(
                Errors.NO_SUCH_PATH,
                f"{path[:120]!r} is no path of a payment provider; {MOUNT}/ is followed by a name "
                "of the setting payment.providers",
            )
        if exchange.method != "POST":
            raise ApiError(
                Errors.METHOD_NOT_SUPPORTED,
                "Only POST requests are accepted",
                headers=[("Allow", "POST")],
            )
        exchange.operation = "payments.receive"
        ACCOUNT.set(f"payments of {name}")
        with metrics.IN_FLIGHT.labels(exchange.operation).track_inprogress():
            await exchange.send_json(await self._receive(exchange, provider))

    def _admit(self, address: str) -> None:
        ask = Ask(("qps", 0, address), "the address", per_second(PER_SECOND))
        try:
            self._limiter.admit([ask])
        except RateLimited as limited:
            text = "too many payment events of this address"
            raise too_many(Errors.USER_RATE_LIMIT, text, limited.retry_after) from None

    async def _receive(self, exchange: Exchange, provider: Reporting) -> PaymentReceived:
        headers: Headers = exchange.scope["headers"]
        try:
            provider.check_headers(headers)
            body = await read_body(exchange, self._server)
            assert body.text is not None
            event = provider.event(headers, body.text)
        except NotSigned as refused:
            raise ApiError(Errors.INVALID_SIGNATURE, str(refused)) from None
        except WrongEvent as wrong:
            # Whoever wrote the bridge reads it here, too: its sender may show no answers.
            log.warning("payment_event_wrong", provider=provider.name, field=wrong.field)
            raise refuse(wrong.field, wrong.value, wrong.allowed) from None
        if event is None:
            return PaymentReceived(id=exchange.header(b"webhook-id") or "", outcome="ignored")
        return await self._store(provider.name, event)

    async def _store(self, provider: str, event: Event) -> PaymentReceived:
        received = await self._database.write(lambda c: receive(c, provider, event))
        if received.alarming:
            log.warning(
                "payment_to_look_at",
                outcome=received.outcome,
                provider=provider,
                id=event.id,
                order=event.number,
                reference=event.reference,
                amount=str(event.amount),
                currency=event.currency,
            )
        return PaymentReceived(id=event.id, outcome=received.outcome)
