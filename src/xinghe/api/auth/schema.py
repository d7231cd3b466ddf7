"""What is sent to sign in, and what is answered. Times are in seconds since 1970."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from xinghe.accounts.rights import RANK
from xinghe.core import MICRO
from xinghe.signin import NewSession, Owner, Session

Name = Annotated[str, Meta(min_length=1, max_length=64)]
Password = Annotated[str, Meta(min_length=1, max_length=1024)]
Code = Annotated[str, Meta(min_length=1, max_length=256)]


class PasswordGiven(msgspec.Struct, forbid_unknown_fields=True):
    """A member's name and password."""

    name: Name
    password: Password


class TokenGiven(msgspec.Struct, forbid_unknown_fields=True):
    """An access token."""

    token: Code


class LinkGiven(msgspec.Struct, forbid_unknown_fields=True):
    """The code of a one-time link, as `xinghe console link` prints it."""

    code: Code


class ProviderGiven(msgspec.Struct, forbid_unknown_fields=True):
    """For one whom nobody knows yet: the code of an invitation, and what he wants to be called."""

    invitation: Code | None = None
    name: Name | None = None


class Joining(msgspec.Struct, forbid_unknown_fields=True):
    """A new member; the code of an invitation, where one is needed."""

    name: Name
    password: Password
    invitation: Code | None = None


class InvitationGiven(msgspec.Struct, forbid_unknown_fields=True):
    """The code of an invitation, for a member who is signed in."""

    invitation: Code


class PasswordChange(msgspec.Struct, forbid_unknown_fields=True):
    """A new password, and the one that it replaces, where there is one."""

    new: Password
    current: Password | None = None


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """An empty object."""


class Whose(msgspec.Struct):
    """A member; `id` is the appid."""

    id: str
    name: str
    operator: bool


class SessionAnswer(msgspec.Struct):
    """A session. `token` is sent as `Authorization: Bearer <token>`, and told this once."""

    object: Literal["session"]
    member: Whose
    method: str
    scopes: list[str]
    expires_at: int
    token: str


class SessionShown(msgspec.Struct):
    """The session that a request came with; `manages`: as owner or manager of a group."""

    object: Literal["session"]
    member: Whose
    method: str
    scopes: list[str]
    created_at: int
    expires_at: int
    manages: bool


class Ways(msgspec.Struct):
    """The ways in that the operator has switched on."""

    object: Literal["sign_in"]
    password: bool
    token: bool
    oidc: bool
    open: bool


class Done(msgspec.Struct):
    """It was done."""

    object: Literal["done"] = "done"


def answered(made: NewSession) -> SessionAnswer:
    return SessionAnswer(
        "session",
        whose(made.owner),
        made.method,
        sorted(made.scopes),
        made.expires_at // MICRO,
        made.secret,
    )


def shown(session: Session) -> SessionShown:
    return SessionShown(
        "session",
        whose(session.owner),
        session.method,
        sorted(session.principal.scopes),
        session.created_at // MICRO,
        session.expires_at // MICRO,
        any(RANK[role] >= RANK["manager"] for role in session.principal.roles.values()),
    )


def whose(owner: Owner) -> Whose:
    return Whose(owner.appid, owner.name, owner.operator)
