"""The table of what is served under `/auth/v1`: the edge and its document read it."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from xinghe.api.auth import schema
from xinghe.api.auth.handlers import Call, Handlers

Work = Callable[[Handlers, Call, Any], Awaitable[msgspec.Struct | None]]


class Route(msgspec.Struct, frozen=True):
    """What is served at a path under `/auth/v1`; `name` stands in logs and metrics.

    `shape` is of the body; an `answer` of None: the browser is sent on. `session`: one is needed.
    """

    name: str
    method: str
    path: str
    summary: str
    work: Work
    answer: type[msgspec.Struct] | None
    shape: type[msgspec.Struct] | None = None
    session: bool = False


ROUTES = (
    Route("ways", "GET", "", "The ways in.", Handlers.ways, schema.Ways),
    Route(
        "password", "POST", "/password", "Sign in by name and password.",
        Handlers.password, schema.SessionAnswer, schema.PasswordGiven,
    ),
    Route(
        "token", "POST", "/token", "Change an access token for a session.",
        Handlers.token, schema.SessionAnswer, schema.TokenGiven,
    ),
    Route(
        "link_in", "POST", "/link", "Sign in by a one-time link.",
        Handlers.by_link, schema.SessionAnswer, schema.LinkGiven,
    ),
    Route(
        "join", "POST", "/join", "Become a member.",
        Handlers.join, schema.SessionAnswer, schema.Joining,
    ),
    Route(
        "session", "GET", "/session", "The session.",
        Handlers.show, schema.SessionShown, session=True,
    ),
    Route(
        "sign_out", "DELETE", "/session", "End the session.",
        Handlers.sign_out, schema.Done, session=True,
    ),
    Route(
        "change_password", "POST", "/me/password", "Change the password; all sessions end.",
        Handlers.change_password, schema.SessionAnswer, schema.PasswordChange, True,
    ),
    Route(
        "accept", "POST", "/me/invitation", "Join one more group.",
        Handlers.accept, schema.Done, schema.InvitationGiven, True,
    ),
    Route(
        "link", "POST", "/me/identity", "Sign in at the provider from now on.",
        Handlers.link, schema.Done, schema.Nothing, True,
    ),
    Route("oidc_start", "GET", "/oidc/start", "Go to the OpenID provider.", Handlers.start, None),
    Route("oidc_callback", "GET", "/oidc/callback", "Come back.", Handlers.callback, None),
    Route(
        "oidc", "POST", "/oidc/session", "Sign in as whom the provider has signed in.",
        Handlers.provided, schema.SessionAnswer, schema.ProviderGiven,
    ),
)  # fmt: skip
