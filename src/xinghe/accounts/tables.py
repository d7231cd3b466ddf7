"""What is known of members and of access tokens; the statements on them.

Each statement is part of the caller's transaction.
"""

import re
from typing import Any, Literal

import msgspec

from xinghe.accounts.budget_tables import BudgetState
from xinghe.accounts.rules import AccountError, masked
from xinghe.ledger.windows import DAY
from xinghe.storage import Connection

LOOKED_AT = 20_000
"""Holds among which one of a token is looked for."""
MARGIN = DAY
_MEMBERS = (
    "SELECT m.id, m.appid, m.name, w.available, w.held, m.created_at, m.operator, m.disabled_at "
    "FROM members m JOIN wallets w ON w.id = m.id"
)
_SELECT = (
    "SELECT t.id, t.member_id, m.appid, m.name, t.public_id, t.name, t.scopes, t.models, "
    "t.expires_at, t.revoked_at, t.created_at, (SELECT max(coalesce(u.last_at, u.hour)) "
    "FROM usage_hours u WHERE u.token_id = t.id AND u.hour = "
    "(SELECT max(hour) FROM usage_hours WHERE token_id = t.id)) "
    "FROM tokens t JOIN members m ON m.id = t.member_id"
)


class Member(msgspec.Struct, frozen=True):
    """A member and the wallet of his own; `available` and `held` in micro-Tokens, times in
    microseconds UTC.
    """

    id: int
    appid: str
    name: str
    available: int
    held: int
    created_at: int
    operator: bool
    disabled_at: int | None

    @property
    def balance(self) -> int:
        return self.available + self.held


class NewToken(msgspec.Struct, frozen=True):
    """What an access token is made from."""

    name: str
    scopes: list[str]
    models: list[str] | None = None
    expires_at: int | None = None


class AccessToken(msgspec.Struct, frozen=True):
    """An access token without its secret; times in microseconds UTC.

    `last_used_at` is when the last request with it was charged; of an hour in which all failed,
    its beginning. `cap` is its budget of Tokens for all models, where whoever asked for the token
    wants it.
    """

    id: int
    member_id: int
    appid: str
    member: str
    public_id: str
    name: str
    scopes: list[str]
    models: list[str] | None
    expires_at: int | None
    revoked_at: int | None
    created_at: int
    last_used_at: int | None = None
    cap: BudgetState | None = None

    def state(self, at: int) -> Literal["revoked", "expired", "active"]:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= at else "active"


def members(connection: Connection, after: int, limit: int) -> list[Member]:
    """Members behind an id, the oldest first."""
    rows = connection.rows(
        f"{_MEMBERS} WHERE m.deleted_at IS NULL AND m.id > $1 ORDER BY m.id LIMIT $2", after, limit
    )
    return [_member(row) for row in rows]


def members_called(connection: Connection, prefix: str, after: int, limit: int) -> list[Member]:
    """Those whose names begin so, by name, behind the member of an id."""
    rows = connection.rows(
        f"{_MEMBERS} WHERE m.name >= $1 AND m.name < $2 "  # noqa: S608
        "AND m.name > coalesce((SELECT name FROM members WHERE id = $3), '') "
        "ORDER BY m.name LIMIT $4",
        prefix,
        prefix + chr(0x10FFFF),  # behind whatever else may follow
        after,
        limit,
    )
    return [_member(row) for row in rows]


def member(connection: Connection, name: str) -> Member:
    """The member of a name or an appid. Raises `AccountError`."""
    column, row = "appid" if name.startswith("app-") else "name", None
    if name.isprintable():  # a database may refuse others
        row = connection.row(f"{_MEMBERS} WHERE m.{column} = $1 AND m.deleted_at IS NULL", name)
    if row is None:
        raise AccountError(f"there is no member {name!r}")
    return _member(row)


def has_operator(connection: Connection) -> bool:
    """Whether there is an operator who is not disabled."""
    query = "SELECT EXISTS (SELECT 1 FROM members WHERE operator = 1 AND disabled_at IS NULL)"
    return bool(connection.value(query))


def locked_member(connection: Connection, name: str) -> Member:
    """The same, whose wallet nobody else changes before the transaction ends."""
    connection.lock([member(connection, name).id])
    return member(connection, name)


def insert_wallet(connection: Connection, at: int) -> int:
    """A new wallet without Tokens; returns its id."""
    made: int = connection.value("INSERT INTO wallets (created_at) VALUES ($1) RETURNING id", at)
    return made


def check_free(connection: Connection, name: str) -> None:
    """Raises `AccountError` if a member has the name."""
    if connection.row("SELECT 1 FROM members WHERE name = $1", name):
        raise _taken(name)


def insert_member(
    connection: Connection,
    appid: str,
    name: str,
    at: int,
    *,
    operator: bool = False,
    password: str | None = None,
) -> Member:
    """A new member with an empty wallet. Raises `AccountError` if the name is taken."""
    check_free(connection, name)
    made = connection.run(
        "INSERT INTO members (id, appid, name, operator, password, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING",
        insert_wallet(connection, at),
        appid,
        name,
        int(operator),
        password,
        at,
    )
    if not made:  # by another transaction, just now
        raise _taken(name)
    return member(connection, name)


def insert_token(
    connection: Connection,
    member_id: int,
    public_id: str,
    digest: bytes,
    new: NewToken,
    at: int,
) -> int:
    """A new token, of which only the hash is kept; returns its id."""
    scopes = msgspec.json.encode(new.scopes).decode()
    models = None if new.models is None else msgspec.json.encode(new.models).decode()
    token_id: int = connection.value(
        "INSERT INTO tokens (member_id, public_id, digest, name, scopes, models, expires_at, "
        "created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
        member_id,
        public_id,
        digest,
        new.name,
        scopes,
        models,
        new.expires_at,
        at,
    )
    return token_id


def tokens(connection: Connection, member_id: int | None = None) -> list[AccessToken]:
    """The tokens of one member or of all, the oldest first."""
    where, *values = [""] if member_id is None else [" WHERE t.member_id = $1", member_id]
    rows = connection.rows(f"{_SELECT}{where} ORDER BY t.id", *values)
    return [_access_token(row) for row in rows]


def tokens_behind(
    connection: Connection, member_id: int, after: int, limit: int
) -> list[AccessToken]:
    """A member's tokens behind an id, the oldest first."""
    rows = connection.rows(
        f"{_SELECT} WHERE t.member_id = $1 AND t.id > $2 ORDER BY t.id LIMIT $3",
        member_id,
        after,
        limit,
    )
    return [_access_token(row) for row in rows]


def update_token(connection: Connection, token_id: int, new: NewToken) -> None:
    """Have a token be called, and allow, something else."""
    connection.run(
        "UPDATE tokens SET name = $1, scopes = $2, models = $3, expires_at = $4 WHERE id = $5",
        new.name,
        msgspec.json.encode(new.scopes).decode(),
        None if new.models is None else msgspec.json.encode(new.models).decode(),
        new.expires_at,
        token_id,
    )


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
        raise AccountError(f"there is no token {masked(id_or_public_id)!r}")
    return _access_token(row)


def revoke(connection: Connection, token_id: int, at: int) -> None:
    """Revoke a token; one that was revoked before keeps its time."""
    connection.run(
        "UPDATE tokens SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL", at, token_id
    )


def unused_tokens(connection: Connection, member_id: int, name: str) -> list[AccessToken]:
    """The tokens of a name that are not revoked and were never used."""
    rows = connection.rows(
        f"{_SELECT} WHERE t.member_id = $1 AND t.name = $2 AND t.revoked_at IS NULL",
        member_id,
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


def _taken(name: str) -> AccountError:
    return AccountError(f"there is a member {name!r} already")


def _member(row: tuple[Any, ...]) -> Member:
    member_id, appid, name, available, held, created_at, operator, disabled_at = row
    return Member(member_id, appid, name, available, held, created_at, bool(operator), disabled_at)


def _access_token(row: tuple[Any, ...]) -> AccessToken:
    token_id, member_id, appid, member_name, public_id, name, scopes, models, *times = row
    return AccessToken(
        token_id,
        member_id,
        appid,
        member_name,
        public_id,
        name,
        msgspec.json.decode(scopes),
        None if models is None else msgspec.json.decode(models),
        *times,
    )
