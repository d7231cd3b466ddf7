"""The access token of a member's playground: what he spends on that page stands under it.

It is a row of `tokens` like any other, so that entries, tables and budgets know it: its models and
budgets hold. But nobody has a secret of it. Its id is not of the form that a secret names, its
digest is of nothing, and no other token is given its name.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Mapping
from typing import Any

import msgspec

from xinghe.accounts import tables
from xinghe.accounts.audit import record
from xinghe.accounts.rules import AccountError, check_name
from xinghe.accounts.tables import AccessToken, NewToken
from xinghe.storage import Connection, now

NAME = "playground"
SCOPE = "model.call"

_NAMES = msgspec.json.Decoder(frozenset[str])


class Behind(msgspec.Struct, frozen=True):
    """An access token that holds for the playground: its number, scopes and models."""

    id: int
    scopes: frozenset[str]
    models: frozenset[str] | None


def check_token_name(value: str) -> str:
    """What a token may be called that somebody makes. Raises `AccountError`."""
    check_name(value)
    if unicodedata.normalize("NFKC", value).casefold() == NAME:
        raise AccountError(
            f"name: {value!a} is not allowed: the token of the console's playground is called so"
        )
    return value


def check_change(token: AccessToken, changes: Mapping[str, Any]) -> None:
    """Of the playground's own token, `models` alone change; no other is given its name.

    Raises `AccountError`.
    """
    changed = {field for field, value in changes.items() if getattr(token, field) != value}
    if not is_public_id(token.public_id):
        if "name" in changed:
            check_token_name(changes["name"])
    elif changed - {"models"}:
        raise AccountError(
            f"the token {token.public_id} is that of the playground: its models may be changed "
            "and its budgets, nothing else"
        )


def is_public_id(value: str) -> bool:
    """Whether a token's public id is that of a playground."""
    return len(value) > len(NAME) and value.startswith(NAME)


def find(connection: Connection, member_id: int) -> Behind | None:
    """That of a member; None before he has asked anything."""
    return _token(connection, "public_id = $1", _public_id(member_id))


def behind(connection: Connection, session_id: int) -> Behind | None:
    """The access token that a session was made of; None where it was made of none."""
    return _token(connection, "id = (SELECT token_id FROM sessions WHERE id = $1)", session_id)


def make(connection: Connection, member_id: int, appid: str) -> None:
    """Have a member have it; twice is once."""
    connection.lock([member_id])
    if find(connection, member_id) is None:
        new, public_id = NewToken(NAME, [SCOPE]), _public_id(member_id)
        digest = secrets.token_bytes(32)
        tables.insert_token(connection, member_id, public_id, digest, new, now())
        record(connection, appid, "token.create", public_id, after=new)


def _public_id(member_id: int) -> str:
    """Longer than the ten characters of those that stand in a secret."""
    return f"{NAME}{member_id}"


def _token(connection: Connection, where: str, value: str | int) -> Behind | None:
    row = connection.row(f"SELECT id, scopes, models FROM tokens WHERE {where}", value)  # noqa: S608
    if row is None:
        return None
    number, scopes, models = row
    return Behind(number, _NAMES.decode(scopes), None if models is None else _NAMES.decode(models))
