"""What an operation of the operators' API is, and a call of one on its way through it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar, cast

import msgspec

from xinghe.accounts import Principals
from xinghe.accounts.rights import Relations
from xinghe.admin.guesses import Guesses
from xinghe.admin.shapes import micro
from xinghe.admin.transaction import Revision, Transaction, audited, etag, unless_changed
from xinghe.api.body import BodyBudget
from xinghe.api.elsewhere import Readiness
from xinghe.api.exchange import Exchange, Headers
from xinghe.api.query import Query
from xinghe.api.strict import StrictForm
from xinghe.configuration import Follower
from xinghe.core import INITIAL_GRANT
from xinghe.dispatch import Live
from xinghe.idempotency import IdempotencyStore
from xinghe.limits import Rates
from xinghe.safety import Moderator
from xinghe.settings import Server
from xinghe.settings.payment import Payment
from xinghe.signin import Passwords
from xinghe.storage import Connection, Database
from xinghe.upkeep import Backups, Examination

G = TypeVar("G")
T = TypeVar("T")

MAX_BODY_BYTES = 256 * 1024
JSON = msgspec.json.Encoder(decimal_format="number")
"""Amounts are exact: numbers with all their decimals."""


class AdminServices(msgspec.Struct, frozen=True):
    """Everything that lives as long as the process and an operation needs."""

    principals: Principals
    database: Database
    limiter: Rates
    live: Live
    budget: BodyBudget
    store: IdempotencyStore
    server: Server
    passwords: Passwords
    follower: Follower
    moderator: Moderator
    readiness: Readiness
    examination: Examination
    backups: Backups
    payment: Payment = Payment()
    guesses: Guesses = msgspec.field(default_factory=Guesses)
    """Of redeem codes, by member."""


class Call(msgspec.Struct, Generic[G]):
    """One call: `given` is its body or its query, `path` what stands there in its braces.

    `target` is what it is about, as the operation's `about` has found it, and `relations` how the
    caller stands to that. `headers` go out with the answer.
    """

    services: AdminServices
    exchange: Exchange
    path: Mapping[str, str]
    given: G
    target: Any = None
    relations: Relations = frozenset()
    headers: Headers = []

    async def tagged(
        self,
        subject: str,
        operation: Callable[[Connection], T],
        *,
        revision: Revision | None = None,
    ) -> T:
        """What a read finds, with its `revision` as `ETag`; by default that of the audit log."""
        of = revision or audited(subject)

        def whole(connection: Connection) -> tuple[int, T]:
            with connection.snapshot():
                return of(connection), operation(connection)

        version, found = await self.services.database.read(whole)
        self.headers = etag(version)
        return found

    def transaction(
        self,
        subject: str = "",
        keep: Callable[[Any], msgspec.Struct] | None = None,
        *,
        revision: Revision | None = None,
    ) -> Database:
        """For a service that makes a change.

        Its first write heeds `If-Match`, where a `subject` says what is changed (and `revision`
        which version there is, by default that of the audit log); with the last,
        the answer that `keep` makes of its result is stored for an Idempotency-Key.
        """
        exchange, of = self.exchange, revision or audited(subject)

        def after(connection: Connection, result: object) -> None:
            if subject:
                self.headers = etag(of(connection))
            if keep is not None and exchange.store is not None:
                exchange.store(connection, JSON.encode(keep(result)))

        before = unless_changed(exchange, of) if subject else None
        # It has of a database what a service uses.
        return cast("Database", Transaction(self.services.database, before, after))

    @property
    def actor(self) -> str:
        """Who acts, for the audit log."""
        return self.exchange.principal.appid


Work = Callable[[Call[Any]], Awaitable[msgspec.Struct]]
About = Callable[[Call[Any]], Awaitable[None]]
"""Finds what a call is about. Raises `ApiError` (404) where there is no such thing."""


class Operation(msgspec.Struct, frozen=True):
    """What is served at a path under `/admin/v1`, where `{name}` stands for one segment.

    `name` stands in logs, metrics and the table of rights. `form` is of the body, `query` of what
    stands behind the question mark. An Idempotency-Key is taken where it is `repeatable`: no
    answer that holds a secret is stored.
    """

    name: str
    method: str
    path: str
    summary: str
    about: About
    work: Work
    answer: type[msgspec.Struct]
    form: StrictForm[Any] | None = None
    query: Query[Any] | None = None
    repeatable: bool = False
    conditional: bool = False
    """Whether it heeds `If-Match`."""
    max_body_bytes: int = MAX_BODY_BYTES


def initial(call: Call[Any], given: float | None) -> int:
    """What a new wallet begins with, in micro-Tokens: who is no operator grants nothing."""
    if given is not None:
        return micro(given, "tokens")
    return INITIAL_GRANT if call.exchange.principal.operator else 0
