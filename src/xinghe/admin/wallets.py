"""Wallets: all of them; what each holds, lot by lot; Tokens that an operator grants."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from xinghe.accounts import wallet_lists, wallets
from xinghe.accounts.wallet_lists import Listed, Order
from xinghe.accounts.wallets import Lot, Wallet
from xinghe.admin.operation import Call
from xinghe.admin.shapes import (
    Amount,
    Body,
    Listing,
    Models,
    Paging,
    Reason,
    Tokens,
    Told,
    future,
    micro,
    page,
    positive,
    printable,
    told,
    told_or_never,
)
from xinghe.api.errors import refuse
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


class WalletSummary(msgspec.Struct, kw_only=True):
    """A wallet of a `member` or of a `group`, and the name of that; `closed`: it was deleted, and
    nobody can spend what is left.
    """

    id: int
    object: Literal["wallet"] = "wallet"
    member: str | None
    group: int | None
    name: str | None
    closed: bool
    available: Tokens
    held: Tokens
    balance: Tokens
    created_at: Told


class WalletList(Listing):
    data: list[WalletSummary]


class WalletQuery(Paging):
    """Those of members and groups whose names begin with `name`. By `name`, which leaves out the
    closed ones, or those first that hold the `most` or the `least`.
    """

    name: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    order: Order = "name"


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


async def list_(call: Call[WalletQuery]) -> WalletList:
    given = call.given
    try:
        found = await call.services.database.read(
            lambda c: wallet_lists.listed(
                c, given.order, given.name or "", given.behind, given.limit + 1
            )
        )
    except wallet_lists.TooMany:
        allowed = f"name, where more than {wallet_lists.MOST} names begin so"
        raise refuse("order", given.order, allowed) from None
    return page(WalletList, found, given.limit, _summary, "id")


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


def _summary(found: Listed) -> WalletSummary:
    return WalletSummary(
        id=found.id,
        member=found.appid,
        group=found.group_id,
        name=found.name,
        closed=found.closed_at is not None,
        available=tokens(found.available),
        held=tokens(found.held),
        balance=tokens(found.available + found.held),
        created_at=told(found.created_at),
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
