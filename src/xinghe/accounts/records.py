"""What is known of an account, of a token, and of who is calling."""

from __future__ import annotations

import msgspec

from xinghe.ledger.caps import Cap


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
