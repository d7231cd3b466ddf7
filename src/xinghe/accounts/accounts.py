"""Accounts and access tokens, as the API, the console and the command line use them.

A token is `xh-<public id>-<secret part>`; it is shown once and kept as a hash.
"""

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Iterable

import msgspec

from xinghe.accounts import rules, tables
from xinghe.accounts.rules import DEFAULT_SCOPES, AccountError
from xinghe.accounts.tables import AccessToken, Account, Principal
from xinghe.core import INITIAL_GRANT
from xinghe.ledger import Period, holds
from xinghe.storage import Connection, Database, now

DEFAULT_ACCOUNT = "default"
QUICKSTART = "quickstart"

_ID_ALPHABET = string.ascii_lowercase + string.digits
_BASE62 = string.ascii_letters + string.digits
_TOKEN = re.compile(r"xh-([a-z0-9]{10})-[A-Za-z0-9]{43}")

_AUTHENTICATE = (
    "SELECT t.digest, t.revoked_at, t.expires_at, a.id, a.appid, a.name, t.id, t.name, t.scopes, "
    "t.models FROM tokens t JOIN accounts a ON a.id = t.account_id WHERE t.public_id = $1"
)
_LAPSED = "SELECT id FROM tokens WHERE id = $1 AND (revoked_at IS NOT NULL OR expires_at <= $2)"


class Accounts:
    """Every method raises `StorageError` if the database cannot be used.

    What changes something is recorded in the audit table under `actor`. Amounts are
    micro-Tokens, times microseconds UTC; an account is named by its name or its appid.
    """

    def __init__(self, database: Database, *, actor: str = "server") -> None:
        self._database = database
        self._actor = actor

    async def authenticate(self, secret: str) -> Principal | None:
        """Who holds this token; None if it is unknown, malformed, revoked or expired."""
        match = _TOKEN.fullmatch(secret)
        if match is None:
            return None
        row = await self._database.read(lambda c: c.row(_AUTHENTICATE, match[1]))
        if row is None:
            return None
        stored, revoked_at, expires_at, account_id, appid, account_name, *token = row
        token_id, token_name, scopes, models = token
        # The comparison comes first and takes the same time for every wrong secret.
        if not hmac.compare_digest(stored, hashlib.sha256(secret.encode()).digest()):
            return None
        if revoked_at is not None or (expires_at is not None and expires_at <= now()):
            return None
        return Principal(
            account_id=account_id,
            appid=appid,
            account_name=account_name,
            token_id=token_id,
            token_name=token_name,
            scopes=msgspec.json.decode(scopes, type=frozenset[str]),
            models=None if models is None else msgspec.json.decode(models, type=frozenset[str]),
        )

    async def lapsed(self, token_ids: Iterable[int]) -> list[int]:
        """Which of these tokens are revoked or expired."""
        asked, at = list(token_ids), now()
        return await self._database.read(
            lambda c: [each for each in asked if c.value(_LAPSED, each, at) is not None]
        )

    async def create_account(self, name: str, *, amount: int = INITIAL_GRANT) -> Account:
        """A new account with its first lot (none if `amount` is 0). Raises `AccountError`."""
        rules.check_name(name)
        rules.check_amount(amount, least=0)
        return await self._database.write(lambda c: self._create_account(c, name, amount))

    async def get_account(self, name: str) -> Account:
        """Raises `AccountError` if there is none."""
        return await self._database.read(lambda c: tables.account(c, name))

    async def list_accounts(self) -> list[Account]:
        """All accounts, the oldest first."""
        return await self._database.read(tables.all_accounts)

    async def grant(
        self, account: str, amount: int, *, expires_at: int | None = None, note: str = ""
    ) -> Account:
        """Give an account a lot of its own. Raises `AccountError`."""
        at = now()
        rules.check_amount(amount)
        rules.check_expiry(expires_at, at)
        rules.check_note(note)

        def operation(connection: Connection) -> Account:
            to = tables.locked_account(connection, account)
            after = tables.grant(connection, to, amount, at=at, expires_at=expires_at, note=note)
            detail = f"{amount} micro-Tokens, expires_at={expires_at}"
            self._record(connection, "account.grant", to.appid, detail, at)
            return after

        return await self._database.write(operation)

    async def create_token(
        self,
        account: str,
        *,
        name: str = "token",
        scopes: Iterable[str] = DEFAULT_SCOPES,
        models: Iterable[str] | None = None,
        expires_at: int | None = None,
        cap: int | None = None,
        cap_per: Period = "total",
    ) -> str:
        """A new token, returned this once. Raises `AccountError`.

        `models` None allows all. With a `cap`, it may spend that much in each `cap_per` (UTC).
        """
        rules.check_name(name)
        rules.check_cap(cap, cap_per)
        scopes, models = rules.check_scopes(scopes), rules.check_models(models)
        rules.check_expiry(expires_at, now())
        new = tables.NewToken(name, scopes, models, expires_at, cap, cap_per)
        return await self._database.write(
            lambda c: self._create_token(c, tables.account(c, account), new)
        )

    async def list_tokens(self, account: str | None = None) -> list[AccessToken]:
        """The tokens of one account or of all. Raises `AccountError` if there is no such."""

        def operation(connection: Connection) -> list[AccessToken]:
            if account is None:
                return tables.tokens(connection)
            return tables.tokens(connection, tables.account(connection, account).id)

        return await self._database.read(operation)

    async def revoke_token(self, token: str) -> AccessToken:
        """Revoke by id or public id; the very next request with it is refused.

        Doing it twice is no error. Raises `AccountError` if there is no such token.
        """

        def operation(connection: Connection) -> AccessToken:
            self._revoke(connection, tables.token(connection, token))
            return tables.token(connection, token)

        return await self._database.write(operation)

    async def cap_token(
        self, token: str, amount: int | None, per: Period | None = None
    ) -> AccessToken:
        """Set a token's cap, or take it away (None); without `per`, the period stays as it is.

        What it spent before in the period counts. Raises `AccountError`.
        """
        rules.check_cap(amount, per or "total")

        def operation(connection: Connection) -> AccessToken:
            found, at = tables.token(connection, token), now()
            tables.locked_account(connection, found.account)
            period = per or (found.cap.per if found.cap else "total")
            if amount is None:
                holds.remove_cap(connection, found.id)
            else:
                holds.put_cap(connection, found.id, amount, period, at)
            detail = "none" if amount is None else f"{amount} micro-Tokens ({period})"
            self._record(connection, "token.cap", found.public_id, detail, at)
            return tables.token(connection, token)

        return await self._database.write(operation)

    async def ensure_default(self) -> Account | None:
        """Make the account `default` if there is no account at all; returns it if it was made."""

        def operation(connection: Connection) -> Account | None:
            if connection.value("SELECT EXISTS (SELECT 1 FROM accounts)"):
                return None
            return self._create_account(connection, DEFAULT_ACCOUNT, INITIAL_GRANT)

        return await self._database.write(operation)

    async def quickstart(self) -> str:
        """A fresh token of the account `default`, for whoever just started the service.

        Makes the account if there is none, and revokes the earlier tokens named `quickstart`
        that nobody ever used: a start leaves at most one unused token behind.
        """

        def operation(connection: Connection) -> str:
            try:
                account = tables.locked_account(connection, DEFAULT_ACCOUNT)
            except AccountError:
                account = self._create_account(connection, DEFAULT_ACCOUNT, INITIAL_GRANT)
            for unused in tables.unused_tokens(connection, account.id, QUICKSTART):
                self._revoke(connection, unused)
            new = tables.NewToken(QUICKSTART, list(DEFAULT_SCOPES))
            return self._create_token(connection, account, new)

        return await self._database.write(operation)

    def _create_account(self, connection: Connection, name: str, amount: int) -> Account:
        at = now()
        appid = f"app-{_random(10, _ID_ALPHABET)}"
        account = tables.insert_account(connection, appid, name, at)
        if amount:
            account = tables.grant(connection, account, amount, at=at, note="initial grant")
        detail = f"{name}, {amount} micro-Tokens"
        self._record(connection, "account.create", account.appid, detail, at)
        return account

    def _create_token(self, connection: Connection, account: Account, new: tables.NewToken) -> str:
        at, public_id = now(), _random(10, _ID_ALPHABET)
        # 43 characters of base62 are just over 256 bits: a plain hash of them cannot be guessed.
        secret = f"xh-{public_id}-{_random(43, _BASE62)}"
        digest = hashlib.sha256(secret.encode()).digest()
        token_id = tables.insert_token(connection, account.id, public_id, digest, new, at)
        detail = f"{new.name} of {account.appid}, scopes={new.scopes}, models={new.models}"
        if new.cap is not None:
            holds.put_cap(connection, token_id, new.cap, new.cap_per, at)
            detail += f", cap={new.cap} micro-Tokens ({new.cap_per})"
        self._record(connection, "token.create", public_id, detail, at)
        return secret

    def _revoke(self, connection: Connection, token: AccessToken) -> None:
        at = now()
        if token.revoked_at is None:
            tables.revoke(connection, token.id, at)
            detail = f"{token.name} of {token.account}"
            self._record(connection, "token.revoke", token.public_id, detail, at)

    def _record(
        self, connection: Connection, action: str, subject: str, detail: str, at: int
    ) -> None:
        tables.record(
            connection, at=at, actor=self._actor, action=action, subject=subject, detail=detail
        )


def _random(length: int, alphabet: str) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))
