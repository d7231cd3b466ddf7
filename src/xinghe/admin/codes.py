"""Redeem codes: batches for operators; redeeming for whoever has one."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from xinghe.admin.operation import Call
from xinghe.admin.shapes import (
    Amount,
    Body,
    Listing,
    Models,
    Name,
    Paging,
    Tokens,
    Told,
    future,
    micro,
    page,
    positive,
    told,
    told_or_never,
)
from xinghe.api.errors import Errors, too_many
from xinghe.api.query import Time
from xinghe.core import tokens
from xinghe.sales import codes
from xinghe.sales.codes import MOST, Batch, NewBatch, Redemption, State, UnknownCode
from xinghe.sales.validity import LONGEST_DAYS
from xinghe.signin import Slowed
from xinghe.storage import now


class BatchView(msgspec.Struct, kw_only=True):
    """A batch of `count` codes for `amount` Tokens each, which may be redeemed until `expires_at`.

    What is credited is valid for `valid_days` from then on (null: for ever), and pays for its
    `models` alone, or for every one (null).
    """

    id: int
    object: Literal["code_batch"] = "code_batch"
    name: str
    amount: Tokens
    count: int
    redeemed: int
    state: State
    valid_days: int | None
    models: tuple[str, ...] | None
    expires_at: Told
    created_by: str | None
    created_at: Told
    revoked_at: Told | None


class BatchList(Listing):
    data: list[BatchView]


class NewCodes(BatchView, kw_only=True):
    """A batch and its `codes` in the order of their numbers: they stand here and never again."""

    codes: list[str]


class NewBatchBody(Body):
    """Codes that may be redeemed once each, until `expires_at`."""

    name: Name
    amount: Amount
    count: Annotated[int, Meta(ge=1, le=MOST)]
    expires_at: Time
    valid_days: Annotated[int, Meta(ge=1, le=LONGEST_DAYS)] | None = None
    models: Models | None = None


class RedemptionView(msgspec.Struct, kw_only=True):
    """A code that was redeemed, by its `number` in the batch.

    `member` is who redeemed it; null: a command did.
    """

    object: Literal["redemption"] = "redemption"
    number: int
    redeemed_at: Told
    wallet: int
    member: str | None


class RedemptionList(Listing):
    data: list[RedemptionView]


class TypedCode(Body):
    """A code as it is printed or typed: small letters will do, and dashes may be left out."""

    code: Annotated[
        str, Meta(min_length=1, max_length=100, extra={"allowed": "a code such as XH-7K3M9-…"})
    ]


class Redeemed(msgspec.Struct):
    """What a code has brought, and what the wallet holds with it."""

    object: Literal["redeemed"]
    wallet: int
    amount: Tokens
    expires_at: Told | None
    models: tuple[str, ...] | None
    available: Tokens
    balance: Tokens


async def list_(call: Call[Paging]) -> BatchList:
    given = call.given
    found = await call.services.database.read(
        lambda c: codes.batches(c, behind=given.behind, limit=given.limit + 1)
    )
    return page(BatchList, found, given.limit, _view, "id")


async def create(call: Call[NewBatchBody]) -> NewCodes:
    body = call.given
    until = future(body.expires_at)
    assert until is not None
    new = NewBatch(
        name=body.name,
        amount=positive(micro(body.amount)),
        count=body.count,
        expires_at=until,
        valid_days=body.valid_days,
        models=None if body.models is None else tuple(body.models),
    )
    made, told_once = await codes.create(
        call.services.database, call.actor, new, created_by=call.exchange.principal.member_id
    )
    return NewCodes(**msgspec.structs.asdict(_view(made)), codes=told_once)


async def get(call: Call[None]) -> BatchView:
    return _view(call.target)


async def redemptions(call: Call[Paging]) -> RedemptionList:
    given = call.given
    found = await call.services.database.read(
        lambda c: codes.redemptions(c, call.target.id, behind=given.behind, limit=given.limit + 1)
    )
    return page(RedemptionList, found, given.limit, _redemption, "number")


async def revoke(call: Call[None]) -> BatchView:
    write = call.services.database.write
    return _view(await write(lambda c: codes.revoke(c, call.actor, call.target.id)))


async def redeem(call: Call[TypedCode]) -> Redeemed:
    """Who tries what is no code is slowed, as who tries passwords is."""
    caller = call.exchange.principal
    # One after the other: else a real code that is still looked at would count as a guess.
    async with call.services.guesses.turn(caller.appid):
        try:
            attempt = call.services.guesses.attempt(caller.appid)
        except Slowed as slowed:
            raise too_many(
                Errors.USER_RATE_LIMIT, "too many codes that there are not", slowed.retry_after
            ) from None
        try:
            done = await call.transaction(keep=_redeemed).write(
                lambda c: codes.redeem(
                    c, call.actor, call.given.code, call.target.id, member_id=caller.member_id
                )
            )
        except UnknownCode:
            raise  # the attempt has failed
        except BaseException:
            attempt.undo()
            raise
        attempt.undo()
    return _redeemed(done)


def _redeemed(done: codes.Redeemed) -> Redeemed:
    return Redeemed(
        object="redeemed",
        wallet=done.wallet.id,
        amount=tokens(done.batch.amount),
        expires_at=told_or_never(done.expires_at),
        models=done.batch.models,
        available=tokens(done.wallet.available),
        balance=tokens(done.wallet.available + done.wallet.held),
    )


def _redemption(found: Redemption) -> RedemptionView:
    return RedemptionView(
        number=found.number,
        redeemed_at=told(found.at),
        wallet=found.wallet_id,
        member=found.appid,
    )


def _view(found: Batch) -> BatchView:
    return BatchView(
        id=found.id,
        name=found.name,
        amount=tokens(found.amount),
        count=found.count,
        redeemed=found.redeemed,
        state=found.state(now()),
        valid_days=found.valid_days,
        models=found.models,
        expires_at=told(found.expires_at),
        created_by=found.created_by,
        created_at=told(found.created_at),
        revoked_at=told_or_never(found.revoked_at),
    )
