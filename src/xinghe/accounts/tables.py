"""What is known of accounts, of access tokens and of who is calling; the statements on them.

Each statement is part of the caller's transaction.
"""

import re
from typing import Any

import msgspec

from xinghe.accounts.rules import MAX_BALANCE, AccountError
from xinghe.core import MICRO
from xinghe.ledger import Cap, Period, lots
from xinghe.storage import Connection, now

LOOKED_AT = 20_000
"""Holds among which one of a token is looked for."""
MARGIN = 86_400 * MICRO
_ACCOUNTS = "SELECT id, appid, name, available, held, created_at FROM accounts"
_SELECT = (
    "SELECT t.id, a.name, t.public_id, t.name, t.scopes, t.models, t.expires_at, t.revoked_at, "
    "t.created_at, c.amount, c.per, c.since, c.spent, c.held FROM tokens t "
    "JOIN accounts a ON a.id = t.account_id LEFT JOIN caps c ON c.token_id = t.id"
)


class Principal(msgspec.Struct, frozen=True):
    """Who is calling, and what the token allows; `models` None allows every model."""

    account_id: int
    appid: str
    account_name: str
    token_id: int
    token_name: str
    scopes: frozenset[str]
    models: frozenset[str] | None


class Account(msgspec.Struct, frozen=True):
    """An account; `available` and `held` in micro-Tokens, `created_at` in microseconds UTC."""

    id: int
    appid: str
    name: str
    available: int
    held: int
    created_at: int

    @property
    def balance(self) -> int:
        return self.available + self.held


class NewToken(msgspec.Struct, frozen=True):
    """What an access token is made from; its `cap` in micro-Tokens."""

    name: str
    scopes: list[str]
    models: list[str] | None = None
    expires_at: int | None = None
    cap: int | None = None
    cap_per: Period = "total"


class AccessToken(msgspec.Struct, frozen=True):
    """An access token without its secret; times in microseconds UTC.

    The counts of its `cap` are those of the running period.
    """

    id: int
    account: str
    public_id: str
    name: str
    scopes: list[str]
    models: list[str] | None
    expires_at: int | None
    revoked_at: int | None
    created_at: int
    cap: Cap | None

    def state(self, at: int) -> str:
        """`revoked`, `expired` or `active`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= at else "active"


def all_accounts(connection: Connection) -> list[Account]:
    """Every account, the oldest first."""
    return [Account(*row) for row in connection.rows(f"{_ACCOUNTS} ORDER BY id")]


def account(connection: Connection, name: str) -> Account:
    """The account of a name or an appid. Raises `AccountError`."""
    column = "appid" if name.startswith("app-") else "name"
    row = connection.row(f"{_ACCOUNTS} WHERE {column} = $1", name)
    if row is None:
        raise AccountError(f"there is no account {name!r}")
    return Account(*row)


def locked_account(connection: Connection, name: str) -> Account:
    """The same, which nobody else changes before the transaction ends."""
    connection.lock([account(connection, name).id])
    return account(connection, name)


def insert_account(connection: Connection, appid: str, name: str, at: int) -> Account:
    """A new account without Tokens. Raises `AccountError` if the name is taken."""
    made = connection.run(
        "INSERT INTO accounts (appid, name, created_at) VALUES ($1, $2, $3) "
        "ON CONFLICT (name) DO NOTHING",
        appid,
        name,
        at,
    )
    if not made:
        raise AccountError(f"there is an account {name!r} already")
    return account(connection, name)


def grant(
    connection: Connection,
    to: Account,
    amount: int,
    *,
    at: int,
    expires_at: int | None = None,
    note: str = "",
) -> Account:
    """Add a lot to an account. Raises `AccountError` if the balance would pass `MAX_BALANCE`."""
    if to.balance + amount > MAX_BALANCE:
        raise AccountError(
            f"amount: {amount} micro-Tokens would take the balance of {to.name!r} over "
            f"{MAX_BALANCE // MICRO} Tokens"
        )
    lots.credit(connection, to.id, amount, kind="grant", at=at, expires_at=expires_at, note=note)
    return account(connection, to.name)


def insert_token(
    connection: Connection,
    account_id: int,
    public_id: str,
    digest: bytes,
    new: NewToken,
    at: int,
) -> int:
    """A new token, of which only the hash is kept; returns its id."""
    scopes = msgspec.json.encode(new.scopes).decode()
    models = None if new.models is None else msgspec.json.encode(new.models).decode()
    token_id: int = connection.value(
        "INSERT INTO tokens (account_id, public_id, digest, name, scopes, models, expires_at, "
        "created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
        account_id,
        public_id,
        digest,
        new.name,
        scopes,
        models,
        new.expires_at,
        at,
    )
    return token_id


def tokens(connection: Connection, account_id: int | None = None) -> list[AccessToken]:
    """The tokens of one account or of all, the oldest first."""
    where, *values = [""] if account_id is None else [" WHERE t.account_id = $1", account_id]
    rows = connection.rows(f"{_SELECT}{where} ORDER BY t.id", *values)
    return [_access_token(row) for row in rows]


def token(connection: Connection, id_or_public_id: str) -> AccessToken:
    """The token of a public id (10 characters) or of a number. Raises `AccountError`."""
    number = int(id_or_public_id) if re.fullmatch("[0-9]{1,18}", id_or_public_id) else None
    row = None
    if id_or_public_id.isascii() and id_or_public_id.isalnum():  # a database may refuse others
        row = connection.row(
            f"{_SELECT} WHERE t.public_id = $1 OR t.id = $2 ORDER BY t.public_id = $1 DESC LIMIT 1",
            id_or_public_id,
            number,
        )
    if row is None:
        raise AccountError(f"there is no token {id_or_public_id!r}")
    return _access_token(row)


def revoke(connection: Connection, token_id: int, at: int) -> None:
    """Revoke a token; one that was revoked before keeps its time."""
    connection.run(
        "UPDATE tokens SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL", at, token_id
    )


def unused_tokens(connection: Connection, account_id: int, name: str) -> list[AccessToken]:
    """The tokens of a name that are not revoked and were never used."""
    rows = connection.rows(
        f"{_SELECT} WHERE t.account_id = $1 AND t.name = $2 AND t.revoked_at IS NULL",
        account_id,
        name,
    )
    tokens = map(_access_token, rows)
    return [each for each in tokens if not _is_used(connection, each)]


def _is_used(connection: Connection, token: AccessToken) -> bool:
    """Whether it was used: each use leaves a hold. Where very many came since, it is yes."""
    # An id begins with its time, and a clock may have been set back since.
    since = f"{max(0, token.created_at - MARGIN):014x}"
    query = f"SELECT token_id FROM holds WHERE id >= $1 ORDER BY id LIMIT {LOOKED_AT}"  # noqa: S608
    seen = connection.rows(query, since)
    return len(seen) == LOOKED_AT or (token.id,) in seen


def record(
    connection: Connection, *, at: int, actor: str, action: str, subject: str, detail: str
) -> None:
    """Write one row of the audit table: who did what."""
    connection.run(
        "INSERT INTO audit (at, actor, action, subject, detail) VALUES ($1, $2, $3, $4, $5)",
        at,
        actor,
        action,
        subject,
        detail,
    )


def _access_token(row: tuple[Any, ...]) -> AccessToken:
    token_id, account_name, public_id, name, scopes, models, *times = row
    expires_at, revoked_at, created_at, *cap = times
    return AccessToken(
        id=token_id,
        account=account_name,
        public_id=public_id,
        name=name,
        scopes=msgspec.json.decode(scopes),
        models=None if models is None else msgspec.json.decode(models),
        expires_at=expires_at,
        revoked_at=revoked_at,
        created_at=created_at,
        cap=None if cap[0] is None else Cap(*cap).at(now()),
    )
