"""Wallets: what each holds, lot by lot; Tokens that an operator grants."""

from typing import Literal

import msgspec

from xinghe.accounts import wallets
from xinghe.accounts.wallets import Lot, Wallet
from xinghe.admin.operation import Call
from xinghe.admin.shapes import (
    Amount,
    Body,
    Models,
    Reason,
    Tokens,
    Told,
    future,
    micro,
    positive,
    printable,
    told,
    told_or_never,
)
from xinghe.api.query import Time
from xinghe.core import tokens
from xinghe.storage import Connection

MOST_LOTS = 100


class LotView(msgspec.Struct):
    """What is left of a grant; it pays for its `models` alone, or for every one (null)."""

    id: int
    kind: str
    amount: Tokens
    remaining: Tokens
    expires_at: Told | None
    models: tuple[str, ...] | None
    created_at: Told
    note: str


class WalletView(msgspec.Struct):
    """A wallet of a `member` or of a `group`; its lots in the order of spending, the first 100."""

    id: int
    object: Literal["wallet"]
    member: str | None
    group: int | None
    available: Tokens
    held: Tokens
    balance: Tokens
    created_at: Told
    lots: list[LotView]


class NewGrant(Body):
    """Tokens, and why they are granted; they pay for these `models` alone, or for every one."""

    amount: Amount
    reason: Reason
    expires_at: Time | None = None
    models: Models | None = None


class Grant(msgspec.Struct):
    """What was granted, and what the wallet holds with it."""

    object: Literal["grant"]
    wallet: int
    amount: Tokens
    reason: str
    expires_at: Told | None
    models: tuple[str, ...] | None
    available: Tokens
    balance: Tokens


async def get(call: Call[None]) -> WalletView:
    def operation(connection: Connection) -> tuple[Wallet, list[Lot]]:
        with connection.snapshot():
            found = wallets.wallet(connection, call.target.id)
            return found, wallets.spendable(connection, found.id, MOST_LOTS)

    found, lots = await call.services.database.read(operation)
    return WalletView(
        id=found.id,
        object="wallet",
        member=found.appid,
        group=found.group_id,
        available=tokens(found.available),
        held=tokens(found.held),
        balance=tokens(found.available + found.held),
        created_at=told(found.created_at),
        lots=[_lot(each) for each in lots],
    )


async def grant(call: Call[NewGrant]) -> Grant:
    body = call.given
    reason = printable(body.reason)
    amount, until = positive(micro(body.amount)), future(body.expires_at)
    models = None if body.models is None else tuple(sorted(set(body.models)))

    def shape(after: Wallet) -> Grant:
        return Grant(
            object="grant",
            wallet=after.id,
            amount=tokens(amount),
            reason=reason,
            expires_at=told_or_never(until),
            models=models,
            available=tokens(after.available),
            balance=tokens(after.available + after.held),
        )

    return shape(
        await call.transaction(keep=shape).write(
            lambda c: wallets.grant(
                c,
                call.actor,
                call.target.id,
                amount,
                expires_at=until,
                models=models,
                note=reason,
            )
        )
    )


def _lot(lot: Lot) -> LotView:
    return LotView(
        id=lot.id,
        kind=lot.kind,
        amount=tokens(lot.amount),
        remaining=tokens(lot.remaining),
        expires_at=told_or_never(lot.expires_at),
        models=lot.models,
        created_at=told(lot.created_at),
        note=lot.note,
    )
