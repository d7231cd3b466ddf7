"""The section `signin`: how members come in."""

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class OpenID(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The OpenID provider at which members may sign in."""

    issuer: str = ""
    """Its URL, as its own document writes it; empty: there is none."""
    client_id: str = ""
    client_secret: str = ""
    client_secret_env: str = ""
    """What the provider calls this service, and the secret for it, or the variable that holds it;
    without one, PKCE alone."""
    client_auth: Literal["basic", "post"] = "basic"
    """Where the secret is sent: in the header Authorization, or in the body."""
    scopes: tuple[str, ...] = ("openid", "profile")
    create: bool = False
    """Whether whoever the provider signs in, and nobody knows yet, becomes a member."""
    return_to: str = "/console/"
    """The path of this service to which a browser goes on from the provider."""

    def __post_init__(self) -> None:
        if not self.issuer:
            return
        local = re.match(r"http://(localhost|127\.0\.0\.1|\[::1\])(?=[:/]|$)", self.issuer)
        plain = self.issuer.isascii() and self.issuer.isprintable() and " " not in self.issuer
        if not (self.issuer.startswith("https://") or local) or not plain or "?" in self.issuer:
            raise ValueError(
                f"`issuer` is {self.issuer!r}, allowed: an https:// URL (http:// on this machine)"
            )
        if not self.client_id:
            raise ValueError("`issuer` is set, which needs a `client_id`")
        if "openid" not in self.scopes:
            raise ValueError("`scopes` lacks `openid`")
        if not re.fullmatch(r"/(?![/\\])[\x21-\x7e]*", self.return_to):
            raise ValueError(
                f"`return_to` is {self.return_to!r}, allowed: a path of this service, such as "
                "/console/"
            )


class SignIn(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How members come in, beside their access tokens."""

    passwords: bool = True
    """Whether a member who has a password may sign in with it."""
    tokens: bool = True
    """Whether an access token may be changed for a session of its own rights."""
    open: bool = False
    """Whether anybody may become a member without an invitation."""
    session_idle: Annotated[float, Meta(ge=60, le=31_536_000)] = 86_400.0
    """Seconds without a request after which a session ends."""
    session_longest: Annotated[float, Meta(ge=60, le=31_536_000)] = 604_800.0
    """Seconds after which a session ends in any case."""
    oidc: OpenID = OpenID()
