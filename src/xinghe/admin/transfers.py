"""Moving Tokens from one wallet into another, which is named by its number or by whose it is."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from xinghe.accounts import AccountError, tables, transfers, wallets
from xinghe.accounts.rights import Relation
from xinghe.accounts.rules import check_member_reference
from xinghe.accounts.wallets import Wallet
from xinghe.admin.operation import Call
from xinghe.admin.shapes import (
    Amount,
    Body,
    Number,
    Reason,
    Reference,
    Tokens,
    micro,
    positive,
    printable,
)
from xinghe.admin.targets import group_named
from xinghe.api.errors import SHOWN, ApiError, Errors, shown
from xinghe.core import tokens
from xinghe.ledger import expiry
from xinghe.storage import Connection

GroupReference = Annotated[
    str, Meta(min_length=1, max_length=64, description="A group's name, or its id.")
]


class NewTransfer(Body, kw_only=True):
    """Tokens that move, and why: into the wallet `to`, or that of `to_member` or `to_group`."""

    to: Number | None = None
    to_member: Reference | None = None
    to_group: GroupReference | None = None
    amount: Amount
    reason: Reason


class Transfer(msgspec.Struct):
    """What was moved, and what the wallet that it comes from holds without it."""

    object: Literal["transfer"]
    wallet: int
    to: int
    amount: Tokens
    reason: str
    available: Tokens
    balance: Tokens


async def transfer(call: Call[NewTransfer]) -> Transfer:
    body = call.given
    field, name = _receiver(body)
    amount, reason = positive(micro(body.amount)), printable(body.reason)

    def reached(connection: Connection) -> int | None:
        """The wallet that is named, locked, if they may go there."""
        try:
            target = _wallet(connection, field, name)
            connection.lock([call.target.id, target])
            found = wallets.wallet(connection, target)
        except AccountError:
            return None
        operator = Relation.OPERATOR in call.relations
        return target if operator or transfers.reaches(connection, call.target, found) else None

    def move(connection: Connection) -> tuple[Wallet, Wallet]:
        target = reached(connection)
        if target is None:
            kind = {"to": "wallet", "to_member": "member", "to_group": "group"}[field]
            told = name if isinstance(name, int) else shown(name[: SHOWN + 1])
            raise ApiError(
                Errors.NO_SUCH_OBJECT,
                f"there is no {kind} {told} that Tokens of the wallet {call.target.id} may go to",
                param=field,
            )
        return transfers.transfer(connection, call.actor, call.target.id, target, amount, reason)

    def shape(both: tuple[Wallet, Wallet]) -> Transfer:
        after, target = both
        return Transfer(
            object="transfer",
            wallet=after.id,
            to=target.id,
            amount=tokens(amount),
            reason=reason,
            available=tokens(after.available),
            balance=tokens(after.available + after.held),
        )

    moving = call.transaction(keep=shape)
    return shape(await expiry.swept(call.services.database, lambda: moving.write(move)))


def _receiver(body: NewTransfer) -> tuple[str, str | int]:
    """The field that names who gets them, and the name. Raises `ApiError`."""
    fields = {"to": body.to, "to_member": body.to_member, "to_group": body.to_group}
    given = [(field, name) for field, name in fields.items() if name is not None]
    if not given:
        raise ApiError(
            Errors.MALFORMED_JSON, "one of to, to_member and to_group is missing", param="to"
        )
    if len(given) > 1:
        raise ApiError(
            Errors.MALFORMED_JSON,
            f"{given[1][0]} is given beside {given[0][0]}, allowed: one of them",
            param=given[1][0],
        )
    return given[0]


def _wallet(connection: Connection, field: str, name: str | int) -> int:
    """Raises `AccountError`."""
    if isinstance(name, int):
        return name
    if field == "to_group":
        return group_named(connection, name).wallet_id
    return tables.member(connection, check_member_reference(name)).id
