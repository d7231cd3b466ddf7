"""Moving Tokens from one wallet into another."""

from typing import Literal

import msgspec

from xinghe.accounts import AccountError, transfers, wallets
from xinghe.accounts.rights import Relation
from xinghe.accounts.wallets import Wallet
from xinghe.admin.operation import Call
from xinghe.admin.shapes import Amount, Body, Number, Reason, Tokens, micro, positive, printable
from xinghe.api.errors import ApiError, Errors
from xinghe.core import tokens
from xinghe.storage import Connection


class NewTransfer(Body):
    """Tokens that move into the wallet `to`, and why."""

    to: Number
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
    amount, reason = positive(micro(body.amount)), printable(body.reason)

    def reached(connection: Connection) -> bool:
        try:
            target = wallets.wallet(connection, body.to)
        except AccountError:
            return False
        operator = Relation.OPERATOR in call.relations
        return operator or transfers.reaches(connection, call.target, target)

    def move(connection: Connection) -> tuple[Wallet, Wallet]:
        connection.lock([call.target.id, body.to])
        if not reached(connection):
            raise ApiError(
                Errors.NO_SUCH_OBJECT,
                f"there is no wallet {body.to} that Tokens of the wallet {call.target.id} may go "
                "to",
                param="to",
            )
        return transfers.transfer(connection, call.actor, call.target.id, body.to, amount, reason)

    def shape(both: tuple[Wallet, Wallet]) -> Transfer:
        after, _ = both
        return Transfer(
            object="transfer",
            wallet=after.id,
            to=body.to,
            amount=tokens(amount),
            reason=reason,
            available=tokens(after.available),
            balance=tokens(after.available + after.held),
        )

    return shape(await call.transaction(keep=shape).write(move))
