"""Who asks, and whether he may (contract, Identity and headers)."""

from __future__ import annotations

from xinghe.accounts import Accounts, Principal
from xinghe.api.errors import ApiError, Errors
from xinghe.api.exchange import Exchange

REALM = "IAM Certification failed"


async def authenticate(exchange: Exchange, accounts: Accounts, scope: str) -> Principal:
    """The owner of the bearer token. Raises `ApiError` (401)."""
    if len(exchange.header_values(b"authorization")) > 1:
        raise ApiError(
            Errors.INVALID_TOKEN, f"{REALM}: the header Authorization was sent more than once"
        )
    header = exchange.header(b"authorization")
    if not header:
        raise ApiError(
            Errors.INVALID_TOKEN, f"{REALM}: send the header Authorization: Bearer <access token>"
        )
    kind, _, secret = header.partition(" ")
    principal = None
    if kind.lower() == "bearer":
        # Blanks before it are HTTP's (RFC 9110, section 11.4); `strip` would take more for one.
        principal = await accounts.authenticate(secret.lstrip(" "))
    if principal is None:
        raise ApiError(
            Errors.INVALID_TOKEN, f"{REALM}: the access token is unknown, revoked or expired"
        )
    if scope not in principal.scopes:
        raise ApiError(
            Errors.NO_PARAMETER_PERMISSION,
            f"the access token lacks the scope {scope} of this operation",
        )
    appid = exchange.header(b"appid")
    if appid is not None and appid != principal.appid:
        raise ApiError(Errors.INVALID_APPID, "No permission to use the appid")
    return principal
