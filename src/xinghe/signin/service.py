"""Who comes in, and how: each way ends in a session, or says no more than that it does not.

A refusal is the same whether a name is unknown, its password wrong, or its member disabled, and
takes as long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from xinghe.accounts import AccountError, rules
from xinghe.accounts.audit import record
from xinghe.accounts.invitations import Invitations, accept, sign_up
from xinghe.accounts.members import create_member
from xinghe.core import INITIAL_GRANT
from xinghe.settings import SignIn as Settings
from xinghe.signin import links, passwords
from xinghe.signin.id_token import Identity, Unproven
from xinghe.signin.oidc import Provider, ProviderFailed
from xinghe.signin.passwords import Passwords
from xinghe.signin.sessions import (
    PREFIX,
    Method,
    NewSession,
    Owner,
    Session,
    Sessions,
    end_all,
    owner_of,
    scopes_of,
)
from xinghe.signin.throttle import Attempt, Throttle
from xinghe.storage import Connection, Database, StorageError, now
from xinghe.workers import QueueFull

CALLBACK = "/auth/v1/oidc/callback"
"""Where the provider sends browsers back to, as it has to be registered there."""

BY_HIMSELF = "sign-up"
"""Who acts where somebody becomes a member, for the audit table."""
_OWNER = "SELECT id, appid, name, operator, password, disabled_at FROM members WHERE "

log: structlog.stdlib.BoundLogger = structlog.get_logger("xinghe.signin")


class NotOffered(Exception):
    """The operator has not switched this way in on; the message names it."""


class NotLetIn(Exception):
    """Nobody can be signed in by what was sent. Why is not said."""


class Unknown(NotLetIn):
    """The provider has signed somebody in who is no member."""


class Stale(Exception):
    """How a member signs in may be changed only a moment after he has signed in."""


class SignIn:
    """The ways in. Every method raises `Slowed`, `NotOffered`, `NotLetIn` and `StorageError`.

    `address` is the client's. What is new of a member is audited.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        sessions: Sessions,
        base_url: str,
    ) -> None:
        self._database = database
        self._throttle = Throttle()
        self.passwords = Passwords()
        self.sessions = sessions
        self.provider = None
        if settings.oidc.issuer:
            self.provider = Provider(settings.oidc, f"{base_url}{CALLBACK}")
        self.settings = settings

    async def by_password(self, name: str, password: str, address: str) -> NewSession:
        """Raises `QueueFull` as well."""
        if not self.settings.passwords:
            raise NotOffered("sign-in by password")
        with self._attempt(name, address) as attempt:
            owner, kept = await self._member(name) or (None, None)
            right, renewed = await self.passwords.verify(kept, password)
            if owner is None or not right:
                raise _refused("password", address)

            def operation(connection: Connection) -> NewSession:
                if not _still(connection, owner.id, kept):
                    raise NotLetIn
                if renewed is not None:
                    _keep_password(connection, owner.id, renewed)
                return self.sessions.make(connection, owner, "password")

            return await self._let_in(attempt, operation)

    async def by_token(self, token: str, address: str) -> NewSession:
        """A session of no more than the scopes of an access token."""
        if not self.settings.tokens:
            raise NotOffered("sign-in by access token")
        with self._attempt("", address) as attempt:
            principal = None
            if not token.startswith(PREFIX):  # no session makes another
                principal = await self.sessions.authenticate(token)
            if principal is None or not scopes_of(principal.scopes):
                raise _refused("token", address)
            owner = owner_of(principal)

            def operation(connection: Connection) -> NewSession:
                return self.sessions.make(connection, owner, "token", principal)

            return await self._let_in(attempt, operation)

    async def by_link(self, code: str, address: str) -> NewSession:
        """A session of whom a one-time link is for; the link works no more."""
        with self._attempt("", address) as attempt:

            def operation(connection: Connection) -> NewSession:
                owner = links.take(connection, code)
                if owner is None:
                    raise _refused("link", address)
                return self.sessions.make(connection, owner, "link")

            return await self._let_in(attempt, operation)

    async def by_provider(
        self, secret: str, code: str, address: str, *, invitation: str | None, name: str | None
    ) -> NewSession:
        """Whoever the provider has signed in; one whom nobody knows yet joins by an invitation, or
        as the operator lets everybody. Raises `AccountError`, `ProviderFailed`, `Unknown`.
        """
        with self._attempt("", address) as attempt:
            identity = await self._identity(secret, code, address)

            def operation(connection: Connection) -> NewSession:
                owner = _identified(connection, identity)
                if owner is None:
                    if invitation is None and not self.settings.oidc.create:
                        raise Unknown
                    owner = _newcomer(connection, name or identity.suggested, invitation)
                    _link(connection, identity, owner)
                return self.sessions.make(connection, owner, "oidc")

            return await self._let_in(attempt, operation)

    async def link(self, session: Session, secret: str, code: str, address: str) -> None:
        """Let a member come in from now on as whom the provider has signed in.

        Raises `Stale`, `AccountError`, `ProviderFailed`.
        """
        if not session.is_fresh():
            raise Stale
        owner = session.owner
        with self._attempt("", address) as attempt:
            identity = await self._identity(secret, code, address)

            def operation(connection: Connection) -> None:
                known = _identified(connection, identity)
                if known is None:
                    _link(connection, identity, owner)
                elif known.id != owner.id:
                    raise AccountError("this identity belongs to another member")

            await self._database.write(operation)
            attempt.undo()

    async def join(
        self, invitation: str | None, name: str, password: str, address: str
    ) -> NewSession:
        """Become a member. Raises `AccountError`, `PasswordRefused`, `QueueFull`."""
        if not self.settings.passwords:
            raise NotOffered("sign-in by password")
        if invitation is None and not self.settings.open:
            raise NotOffered("to join without an invitation")
        with self._attempt("", address) as attempt:
            if invitation is not None:
                await Invitations(self._database).look(invitation)
            rules.check_name(name)
            hashed = await self.passwords.hash(passwords.check(password, name))

            def operation(connection: Connection) -> NewSession:
                owner = _newcomer(connection, name, invitation, hashed)
                return self.sessions.make(connection, owner, "invitation")

            made = await self._database.write(operation)
            if invitation is not None:  # who needs none counts like a failure of his address
                attempt.undo()
        log.info("joined", member=made.owner.appid, invited=invitation is not None)
        return made

    async def accept(self, session: Session, invitation: str, address: str) -> None:
        """Put a member who is signed in into the group of an invitation. Raises `AccountError`."""
        appid = session.owner.appid
        with self._attempt("", address) as attempt:
            await self._database.write(lambda c: accept(c, appid, invitation, appid))
            attempt.undo()

    async def change_password(
        self, session: Session, current: str | None, new: str, address: str
    ) -> NewSession:
        """End all of a member's sessions and begin one, under a new password.

        The first password needs no current one, but a sign-in a moment ago. Raises `Stale`,
        `PasswordRefused`, `QueueFull`.
        """
        owner = session.owner
        _, kept = await self._member(owner.name) or (None, None)
        if kept is None and not session.is_fresh():
            raise Stale
        if kept is not None:
            with self._attempt(owner.name, address) as attempt:
                right, _ = await self.passwords.verify(kept, current or "")
                if not right:
                    raise _refused("password", address)
                attempt.succeeded()
        hashed = await self.passwords.hash(passwords.check(new, owner.name))

        def operation(connection: Connection) -> NewSession:
            if not _still(connection, owner.id, kept):
                raise NotLetIn
            _keep_password(connection, owner.id, hashed)
            end_all(connection, owner.id)
            made = self.sessions.make(connection, owner, "password")
            record(connection, owner.appid, "member.password", owner.appid)
            return made

        return await self._database.write(operation)

    async def aclose(self) -> None:
        self.passwords.close()
        if self.provider is not None:
            await self.provider.aclose()

    @contextmanager
    def _attempt(self, name: str, address: str) -> Iterator[Attempt]:
        """It has failed unless it is told otherwise, or could not be looked at."""
        attempt = self._throttle.attempt(name, address)
        try:
            yield attempt
        except (QueueFull, StorageError, ProviderFailed):
            attempt.undo()
            raise

    async def _identity(self, secret: str, code: str, address: str) -> Identity:
        if self.provider is None:
            raise NotOffered("sign-in at an OpenID provider")
        try:
            return await self.provider.identity(secret, code)
        except Unproven:
            raise _refused("oidc", address) from None

    async def _member(self, name: str) -> tuple[Owner, str | None] | None:
        """A member who may come in, and the hash of his password."""
        if not name.isprintable():  # a database may take no such text
            return None
        row = await self._database.read(lambda c: c.row(f"{_OWNER}name = $1", name))
        if row is None or row[5] is not None:
            return None
        return Owner(row[0], row[1], row[2], bool(row[3])), row[4]

    async def _let_in(
        self, attempt: Attempt, operation: Callable[[Connection], NewSession]
    ) -> NewSession:
        made = await self._database.write(operation)
        attempt.succeeded()
        log.info("signed_in", member=made.owner.appid, method=made.method)
        return made


async def set_password(
    database: Database, kept: Passwords, member: str, new: str, *, actor: str
) -> None:
    """Give a member a password, and end his sessions. Raises `AccountError`, `PasswordRefused`."""
    row = await database.read(lambda c: c.row(f"{_OWNER}name = $1 OR appid = $1", member))
    if row is None:
        raise AccountError(f"there is no member {member!r}")
    passwords.check(new, row[2])
    hashed = await kept.hash(new)

    def operation(connection: Connection) -> None:
        _keep_password(connection, row[0], hashed)
        end_all(connection, row[0])
        record(connection, actor, "member.password", row[1])

    await database.write(operation)


def _newcomer(
    connection: Connection, name: str, invitation: str | None, password: str | None = None
) -> Owner:
    """A new member; `password` is a hash. Raises `AccountError`."""
    if invitation is None:
        rules.check_name(name)
        made = create_member(connection, BY_HIMSELF, name, INITIAL_GRANT, password=password)
    else:
        made = sign_up(connection, BY_HIMSELF, invitation, name, password=password)
    return Owner(made.id, made.appid, made.name, made.operator)


def _refused(method: Method, address: str) -> NotLetIn:
    # Neither the name: it may be a password in the wrong field.
    log.warning("sign_in_refused", method=method, address=address)
    return NotLetIn()


def _still(connection: Connection, member_id: int, kept: str | None) -> bool:
    """Whether a member may still come in, with the password that was looked at."""
    row = connection.row(f"{_OWNER}id = $1", member_id)
    return row is not None and row[2] is not None and (row[4], row[5]) == (kept, None)


def _keep_password(connection: Connection, member_id: int, hashed: str) -> None:
    connection.run("UPDATE members SET password = $1 WHERE id = $2", hashed, member_id)


def _identified(connection: Connection, identity: Identity) -> Owner | None:
    """The member of an identity. Raises `NotLetIn` for one who is disabled."""
    row = connection.row(
        "SELECT m.id, m.appid, m.name, m.operator, m.disabled_at FROM identities i "
        "JOIN members m ON m.id = i.member_id WHERE i.issuer = $1 AND i.subject = $2",
        identity.issuer,
        identity.subject,
    )
    if row is None:
        return None
    if row[2] is None or row[4] is not None:
        raise NotLetIn
    return Owner(row[0], row[1], row[2], bool(row[3]))


def _link(connection: Connection, identity: Identity, owner: Owner) -> None:
    connection.run(
        "INSERT INTO identities (issuer, subject, member_id, created_at) VALUES ($1, $2, $3, $4)",
        identity.issuer,
        identity.subject,
        owner.id,
        now(),
    )
    record(connection, owner.appid, "member.identity", owner.appid, after=identity.issuer)
