"""Budgets: how much may be used, of what, in which windows, by whom."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from xinghe.accounts import budget_tables as budgets
from xinghe.accounts.budget_tables import COUNTED, BudgetState, NewBudget, Unit
from xinghe.accounts.rules import MAX_BALANCE, PUBLIC_ID
from xinghe.admin.operation import Call
from xinghe.admin.shapes import (
    Body,
    Deleted,
    Listing,
    Number,
    Paging,
    Reference,
    Tokens,
    Told,
    micro,
    page,
    told,
    told_or_never,
)
from xinghe.api.errors import no_such_model, refuse
from xinghe.api.query import Zone, zone_of
from xinghe.core import MICRO
from xinghe.core import tokens as as_tokens
from xinghe.ledger import Window
from xinghe.ledger.windows import Period
from xinghe.storage import Connection

ModelId = Annotated[str, Meta(min_length=1, max_length=128)]
TokenId = Annotated[str, Meta(pattern=PUBLIC_ID, extra={"allowed": "a token's id"})]
Most = Annotated[
    float,
    Meta(
        ge=0,
        le=MAX_BALANCE // MICRO,
        description="Tokens, with up to 6 decimals, or a whole number.",
        extra={"allowed": f"a number in [0, {MAX_BALANCE // MICRO}]"},
    ),
]


class BudgetView(msgspec.Struct, kw_only=True):
    """At most `amount` of a `unit`: in each window (`per`), or at any time.

    It counts the requests of a member, of a token, of a group's members, or, without any, of all.
    `used` is null where memory alone knows; the running window of the calendar ends at `opens_at`.
    `created_by` is the member who made it; null: a command did.
    """

    id: int
    object: Literal["budget"] = "budget"
    member: str | None
    group: int | None
    token: str | None
    model: str | None
    unit: Unit
    amount: Tokens
    used: Tokens | None
    per: Period | None
    rolling: bool
    zone: str
    opens_at: Told | None
    created_at: Told
    created_by: str | None


class BudgetList(Listing):
    data: list[BudgetView]


class BudgetQuery(Paging):
    """Whose: of a `member`, a `group` or a `token`; without any, those of the whole service."""

    member: Reference | None = None
    group: Number | None = None
    token: TokenId | None = None


class NewBudgetBody(Body, kw_only=True):
    """Whose requests count is said by one of `member`, `group` and `token`, or by none: of all.

    `tokens` and `requests` are counted in windows, `per` hour, day, week, month or in total: of
    the calendar of a `zone`, or `rolling`. `rpm`, `tpm` and `concurrent` have none.
    """

    member: Reference | None = None
    group: Number | None = None
    token: TokenId | None = None
    model: ModelId | None = None
    unit: Unit
    amount: Most
    per: Period | None = None
    rolling: bool = False
    zone: Zone = "UTC"


class BudgetChange(Body):
    amount: Most


async def list_(call: Call[BudgetQuery]) -> BudgetList:
    given, target = call.given, call.target

    def operation(connection: Connection) -> list[BudgetView]:
        if target is None:
            where = f"{budgets.OF_NOBODY} AND b.id > $1"
            states = budgets.states(connection, where, given.behind)
        else:
            kind = next(each for each in ("member", "group", "token") if getattr(given, each))
            where = f"b.{kind}_id = $1 AND b.id > $2"
            states = budgets.states(connection, where, target.id, given.behind)
        return [view(each) for each in states[: given.limit + 1]]

    found = await call.services.database.read(operation)
    return page(BudgetList, found, given.limit, lambda each: each, "id")


async def create(call: Call[NewBudgetBody]) -> BudgetView:
    new = _new(call)

    def operation(connection: Connection) -> BudgetView:
        made = budgets.create(connection, call.actor, new)
        return _found(connection, made)

    return await call.transaction(keep=lambda view: view).write(operation)


async def get(call: Call[None]) -> BudgetView:
    return await call.tagged(*_of(call))


async def change(call: Call[BudgetChange]) -> BudgetView:
    state: BudgetState = call.target
    amount = _amount(state.unit, call.given.amount)

    def operation(connection: Connection) -> BudgetView:
        budgets.amend(connection, call.actor, state.id, amount)
        return _found(connection, state.id)

    return await call.transaction(budgets.subject(state.id)).write(operation)


async def end(call: Call[None]) -> Deleted:
    state: BudgetState = call.target
    transaction = call.transaction(budgets.subject(state.id))
    await transaction.write(lambda c: budgets.end(c, call.actor, state.id))
    return Deleted(id=str(state.id))


def _of(call: Call[Any]) -> Any:
    return budgets.subject(call.target.id), lambda c: _found(c, call.target.id)


def _new(call: Call[NewBudgetBody]) -> NewBudget:
    """Raises `ApiError`."""
    body = call.given
    counted = body.unit in COUNTED
    if counted != (body.per is not None):
        allowed = "hour, day, week, month or total" if counted else "none"
        raise refuse("per", body.per, f"{allowed} for a budget of {body.unit}")
    if body.rolling and body.per in {None, "total"}:
        raise refuse("rolling", True, "false where there is no window to roll")
    if body.model is not None and body.model not in call.services.live.now.catalog.models:
        raise no_such_model(body.model, param="model")
    zone_of(body.zone)
    window = None if body.per is None else Window(body.per, body.rolling, body.zone)
    target = None if call.target is None else call.target.id
    return NewBudget(
        body.unit,
        _amount(body.unit, body.amount),
        window,
        body.model,
        token_id=target if body.token else None,
        member_id=target if body.member else None,
        group_id=target if body.group else None,
        created_by=call.exchange.principal.member_id,
    )


def _amount(unit: str, amount: float) -> int:
    """Micro-Tokens, or a number. Raises `ApiError`."""
    if unit == "tokens":
        return micro(amount)
    if amount != int(amount):
        raise refuse("amount", amount, "a whole number")
    return int(amount)


def _found(connection: Connection, budget: int) -> BudgetView:
    return view(budgets.state(connection, budget))


def of_token(connection: Connection, token_id: int) -> list[BudgetView]:
    """Those of an access token, the oldest first."""
    found = budgets.states(connection, "b.token_id = $1", token_id)
    return [view(each) for each in found]


def view(state: BudgetState) -> BudgetView:
    def shown(amount: int) -> Any:
        return as_tokens(amount) if state.unit == "tokens" else as_tokens(amount * MICRO)

    windowed = state.unit in COUNTED
    return BudgetView(
        id=state.id,
        member=state.member,
        group=state.group_id,
        token=state.token,
        model=state.model,
        unit=state.unit,
        amount=shown(state.amount),
        used=None if state.used is None else shown(state.used),
        per=state.window.per if windowed else None,
        rolling=state.window.rolling,
        zone=state.window.zone,
        opens_at=told_or_never(state.opens_at),
        created_at=told(state.created_at),
        created_by=state.maker,
    )
