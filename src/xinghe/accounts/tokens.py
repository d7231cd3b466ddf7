"""Access tokens: `xh-<public id>-<secret part>`, shown once and kept as a hash."""

import hashlib
import secrets
import string
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from xinghe.accounts import budget_tables, playground, rules, tables
from xinghe.accounts.audit import record
from xinghe.accounts.members import DEFAULT_MEMBER, create_default
from xinghe.accounts.rules import DEFAULT_SCOPES, AccountError
from xinghe.accounts.tables import AccessToken, NewToken
from xinghe.ledger import Period, Window
from xinghe.storage import Connection, Database, now

QUICKSTART = "quickstart"

_ID_ALPHABET = string.ascii_lowercase + string.digits
_BASE62 = string.ascii_letters + string.digits


class Tokens:
    """Every method raises `StorageError` if the database cannot be used.

    What changes something is audited under `actor`. Amounts are micro-Tokens, times microseconds
    UTC; a token is named by its number or its public id, a member by his name or his appid.
    """

    def __init__(self, database: Database, *, actor: str = "server") -> None:
        self._database = database
        self._actor = actor

    async def create(
        self,
        member: str,
        *,
        name: str = "token",
        scopes: Iterable[str] = DEFAULT_SCOPES,
        models: Iterable[str] | None = None,
        expires_at: int | None = None,
        cap: int | None = None,
        cap_per: Period = "total",
    ) -> str:
        """A new token, returned this once. Raises `AccountError`.

        `models` None allows all. With a `cap`, it has a budget of so much in each `cap_per` (UTC).
        """
        playground.check_token_name(name)
        rules.check_cap(cap, cap_per)
        scopes, models = rules.check_scopes(scopes), rules.check_models(models)
        rules.check_expiry(expires_at, now())
        new, secret = NewToken(name, scopes, models, expires_at), new_secret()

        def operation(connection: Connection) -> str:
            owner = tables.member(connection, member)
            create_token(connection, self._actor, owner.id, secret, new)
            if cap is not None:
                token = tables.token(connection, secret.split("-")[1])
                self._cap(connection, token, cap, cap_per)
            return secret

        return await self._database.write(operation)

    async def list(self, member: str | None = None) -> list[AccessToken]:
        """The tokens of one member or of all, with their caps. Raises `AccountError`."""

        def operation(connection: Connection) -> list[AccessToken]:
            if member is None:
                return _capped(connection, tables.tokens(connection))
            member_id = tables.member(connection, member).id
            return _capped(connection, tables.tokens(connection, member_id))

        return await self._database.read(operation)

    async def get(self, token: str) -> AccessToken:
        """Raises `AccountError` if there is none."""
        return await self._database.read(lambda c: tables.token(c, token))

    async def change(self, token: str, **changes: Any) -> AccessToken:
        """Change fields of `NewToken`; the others stay. Raises `AccountError`.

        The very next request with it is held to what it allows then.
        """
        if "scopes" in changes:
            changes["scopes"] = rules.check_scopes(changes["scopes"])
        if "models" in changes:
            changes["models"] = rules.check_models(changes["models"])
        if "expires_at" in changes:
            rules.check_expiry(changes["expires_at"], now())

        def operation(connection: Connection) -> AccessToken:
            found = tables.token(connection, token)
            playground.check_change(found, changes)
            if found.revoked_at is not None:
                raise AccountError(f"the token {found.public_id} is revoked")
            before = NewToken(found.name, found.scopes, found.models, found.expires_at)
            after = msgspec.structs.replace(before, **changes)
            tables.update_token(connection, found.id, after)
            record(
                connection,
                self._actor,
                "token.change",
                found.public_id,
                before=before,
                after=after,
            )
            return tables.token(connection, token)

        return await self._database.write(operation)

    async def revoke(self, token: str) -> AccessToken:
        """Revoke a token; the very next request with it is refused.

        Doing it twice is no error. Raises `AccountError` if there is no such token.
        """

        def operation(connection: Connection) -> AccessToken:
            found = tables.token(connection, token)
            playground.check_change(found, {"revoked_at": now()})
            self._revoke(connection, found)
            return _capped(connection, [tables.token(connection, token)])[0]

        return await self._database.write(operation)

    async def cap(self, token: str, amount: int | None, per: Period | None = None) -> AccessToken:
        """Set a token's budget of Tokens for all models, or end it (None).

        Without `per`, the window stays as it is. What it spent before in a running window counts.
        Raises `AccountError`.
        """
        rules.check_cap(amount, per or "total")

        def operation(connection: Connection) -> AccessToken:
            found = tables.token(connection, token)
            self._cap(connection, found, amount, per)
            return _capped(connection, [found])[0]

        return await self._database.write(operation)

    async def quickstart(self) -> str:
        """A fresh token of the member `default`, for whoever just started the service.

        Makes the member if there is none, and revokes the earlier tokens named `quickstart`
        that nobody ever used: a start leaves at most one unused token behind.
        """
        secret = new_secret()

        def operation(connection: Connection) -> str:
            try:
                member = tables.locked_member(connection, DEFAULT_MEMBER)
            except AccountError:
                member = create_default(connection, self._actor)
            for unused in tables.unused_tokens(connection, member.id, QUICKSTART):
                self._revoke(connection, unused)
            new = NewToken(QUICKSTART, [*DEFAULT_SCOPES])
            create_token(connection, self._actor, member.id, secret, new)
            return secret

        return await self._database.write(operation)

    def _revoke(self, connection: Connection, token: AccessToken) -> None:
        if token.revoked_at is None:
            tables.revoke(connection, token.id, now())
            record(connection, self._actor, "token.revoke", token.public_id, token.name)

    def _cap(
        self, connection: Connection, token: AccessToken, amount: int | None, per: Period | None
    ) -> None:
        before = budget_tables.cap_of(connection, token.id)
        if before is not None and amount is not None and per in (None, before.window.per):
            budget_tables.amend(connection, self._actor, before.id, amount)
            return
        if before is not None:
            budget_tables.end(connection, self._actor, before.id)
        if amount is not None:
            if per is None:
                per = before.window.per if before is not None else "total"
            new = budget_tables.NewBudget("tokens", amount, Window(per), token_id=token.id)
            budget_tables.create(connection, self._actor, new)


def _capped(connection: Connection, tokens: Sequence[AccessToken]) -> list[AccessToken]:
    return [
        msgspec.structs.replace(token, cap=budget_tables.cap_of(connection, token.id))
        for token in tokens
    ]


def new_secret() -> str:
    """What a client sends as its API key."""
    # 43 characters of base62 are just over 256 bits: a plain hash of them cannot be guessed.
    return f"xh-{_random(10, _ID_ALPHABET)}-{_random(43, _BASE62)}"


def create_token(
    connection: Connection, actor: str, member_id: int, secret: str, new: NewToken
) -> None:
    """Have a member's requests with a secret be answered; only its hash is kept."""
    public_id = secret.split("-")[1]
    digest = hashlib.sha256(secret.encode()).digest()
    tables.insert_token(connection, member_id, public_id, digest, new, now())
    record(connection, actor, "token.create", public_id, after=new)


def _random(length: int, alphabet: str) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))
