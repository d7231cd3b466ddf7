"""Sessions: `xhs-<secret>`, made at a sign-in, kept as a hash, ended by time, by hand or for cause.

A session does what its member may do with account and service, never a call of a model. One that
was made of an access token has no more than the token's scopes, and ends with it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

from xinghe.accounts import Bearer, Principal, Principals, Standing, playground
from xinghe.accounts.playground import Behind
from xinghe.accounts.principal import both
from xinghe.core import MICRO
from xinghe.regular import Regular
from xinghe.settings import SignIn as Settings
from xinghe.storage import Connection, Database, StorageError, now

Method: TypeAlias = Literal["password", "token", "oidc", "invitation", "link"]

PREFIX = "xhs-"
SCOPES = frozenset({"account.read", "admin"})
"""Of a session; what `admin` comes to is a matter of the member's roles."""
MOST = 100
"""Sessions of one member: a new one ends the oldest beyond them."""
SEEN_EVERY = 0.1
"""Parts of the idle time after which a use is noted again."""
SWEEP_SECONDS = 600.0
FRESH = 600 * MICRO
"""Microseconds after its sign-in within which a session may change how its member signs in."""

_BASE62 = string.ascii_letters + string.digits
_SECRET = re.compile(PREFIX + "[A-Za-z0-9]{43}")
_AUTHENTICATE = (
    "SELECT s.id, s.method, s.created_at, s.seen_at, s.expires_at, m.disabled_at, m.id, m.appid, "
    "m.name, m.operator, t.scopes, t.revoked_at, t.expires_at, (SELECT number FROM revision) "
    "FROM sessions s JOIN members m ON m.id = s.member_id "
    "LEFT JOIN tokens t ON t.id = s.token_id WHERE s.digest = $1"
)
_LASTS = (
    "SELECT s.id FROM sessions s LEFT JOIN tokens t ON t.id = s.token_id WHERE s.id = $1 "
    "AND s.expires_at > $2 AND t.revoked_at IS NULL AND coalesce(t.expires_at, $2 + 1) > $2"
)
_EXPIRED = (
    "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at <= $1 LIMIT 500)"
)


class Owner(msgspec.Struct, frozen=True):
    """Whose a session is."""

    id: int
    appid: str
    name: str
    operator: bool


class NewSession(msgspec.Struct, frozen=True):
    """A session that was made just now, with its secret; `expires_at` in microseconds UTC."""

    secret: str
    method: Method
    owner: Owner
    scopes: frozenset[str]
    expires_at: int


class Session(msgspec.Struct, frozen=True):
    """A session that somebody came with. Times in microseconds UTC."""

    id: int
    method: Method
    created_at: int
    expires_at: int
    principal: Principal

    @property
    def owner(self) -> Owner:
        return owner_of(self.principal)

    def is_fresh(self) -> bool:
        """Whether its member himself has signed in a moment ago."""
        return self.method != "token" and now() - self.created_at < FRESH


class Sessions(Principals):
    """Who is calling, by an access token or by a session."""

    def __init__(self, database: Database, settings: Settings) -> None:
        super().__init__(database)
        self._idle = int(settings.session_idle * MICRO)
        self._longest = int(settings.session_longest * MICRO)
        self.sweeping = Regular(self.sweep, SWEEP_SECONDS, "sessions_not_swept", StorageError)

    async def authenticate(self, secret: str) -> Principal | None:
        if not secret.startswith(PREFIX):
            return await super().authenticate(secret)
        session = await self.find(secret)
        return None if session is None else session.principal

    async def find(self, secret: str) -> Session | None:
        """The session of a secret; None if there is none, or it has ended."""
        if not _SECRET.fullmatch(secret):
            return None
        row = await self._database.read(lambda c: c.row(_AUTHENTICATE, digest(secret)))
        if row is None:
            return None
        number, method, created_at, seen_at, expires_at, disabled_at, *who = row
        member_id, appid, name, operator, scopes, revoked_at, token_expires_at, revision = who
        at = now()
        ends = [expires_at, seen_at + self._idle, token_expires_at or at + 1]
        if min(ends) <= at or revoked_at is not None or disabled_at is not None:
            return None
        if at - seen_at > self._idle * SEEN_EVERY:
            self._database.enqueue(lambda c: _seen(c, number, at), deferred=False)
        # No token has this number: none has budgets of its own.
        standing = await self._standing(member_id, -member_id, revision)
        principal = Principal(
            member_id=member_id,
            appid=appid,
            member_name=name,
            token_id=0,
            token_name="",
            scopes=SCOPES if scopes is None else scopes_of(msgspec.json.decode(scopes)),
            models=standing.models,
            operator=bool(operator),
            standing=standing,
        )
        return Session(number, method, created_at, expires_at, principal)

    async def at_playground(self, secret: str) -> Principal | None:
        session = await self.find(secret)
        if session is None:
            return None
        owner = session.principal
        own, by, revision = await self._tokens_at_playground(session)
        standing = await self._standing(owner.member_id, own.id, revision)
        scopes, models = own.scopes, both(own.models, standing.models)
        if by is not None:  # what it may not do or spend, its session does not either
            scopes, models = scopes & by.scopes, both(models, by.models)
            its = await self._standing(owner.member_id, by.id, revision)
            standing = _under_both(its, standing)
        return msgspec.structs.replace(
            owner,
            token_id=own.id,
            token_name=playground.NAME,
            scopes=scopes,
            models=models,
            standing=standing,
            session_id=session.id,
        )

    async def _tokens_at_playground(self, session: Session) -> tuple[Behind, Behind | None, int]:
        """The playground's, which is made with the first use; that of the session; the revision."""
        owner = session.owner

        def read(connection: Connection) -> tuple[Behind | None, Behind | None, int]:
            revision: int = connection.value("SELECT number FROM revision")
            own = playground.find(connection, owner.id)
            return own, playground.behind(connection, session.id), revision

        own, by, revision = await self._database.read(read)
        if own is None:
            await self._database.write(lambda c: playground.make(c, owner.id, owner.appid))
            own, by, revision = await self._database.read(read)
        assert own is not None
        return own, by, revision

    async def lapsed(self, bearers: Iterable[Bearer]) -> list[Bearer]:
        asked, at = list(bearers), now()
        lapsed = await super().lapsed(asked)
        sessions = [each for each in asked if each.session_id and each not in lapsed]
        if not sessions:
            return lapsed
        return lapsed + await self._database.read(
            lambda c: [each for each in sessions if c.value(_LASTS, each.session_id, at) is None]
        )

    async def end(self, session: Session) -> None:
        """Sign out."""
        await self._database.write(
            lambda c: c.run("DELETE FROM sessions WHERE id = $1", session.id)
        )

    def make(
        self, connection: Connection, owner: Owner, method: Method, by: Principal | None = None
    ) -> NewSession:
        """A new session within the caller's transaction; `by` has the access token behind it."""
        at, secret = now(), PREFIX + "".join(secrets.choice(_BASE62) for _ in range(43))
        connection.run(
            "INSERT INTO sessions (member_id, token_id, digest, method, created_at, seen_at, "
            "expires_at) VALUES ($1, $2, $3, $4, $5, $5, $6)",
            owner.id,
            None if by is None else by.token_id,
            digest(secret),
            method,
            at,
            at + self._longest,
        )
        connection.run(
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE member_id = $1 "
            "ORDER BY id DESC LIMIT 1000 OFFSET $2)",
            owner.id,
            MOST,
        )
        scopes = SCOPES if by is None else scopes_of(by.scopes)
        return NewSession(secret, method, owner, scopes, at + self._longest)

    async def sweep(self) -> None:
        """Drop what has expired."""
        at = now()
        while await self._database.write(lambda c: c.run(_EXPIRED, at), idle=True):
            pass


def end_all(connection: Connection, member_id: int) -> None:
    """End every session of a member."""
    connection.run("DELETE FROM sessions WHERE member_id = $1", member_id)


def owner_of(principal: Principal) -> Owner:
    return Owner(principal.member_id, principal.appid, principal.member_name, principal.operator)


def scopes_of(token: Iterable[str]) -> frozenset[str]:
    """The scopes of a session that was made of an access token with these."""
    return SCOPES.intersection(token)


def digest(secret: str) -> bytes:
    # 256 bits: a plain hash of them cannot be guessed.
    return hashlib.sha256(secret.encode()).digest()


def _under_both(one: Standing, other: Standing) -> Standing:
    """With the budgets and limits of both, of which those of the member stand in either."""
    return msgspec.structs.replace(
        other,
        budgets=tuple(dict.fromkeys((*one.budgets, *other.budgets))),
        limits=tuple(dict.fromkeys((*one.limits, *other.limits))),
    )


def _seen(connection: Connection, session: int, at: int) -> None:
    connection.run("UPDATE sessions SET seen_at = $1 WHERE id = $2 AND seen_at < $1", at, session)
