"""An account as its owner sees it: wallets, lots with their expiry, budgets and what is left."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from zoneinfo import ZoneInfo

from xinghe.accounts import Limit, Principal, budget_tables, wallets
from xinghe.accounts.asking import managers
from xinghe.accounts.budget_tables import BudgetState
from xinghe.accounts.principal import standing
from xinghe.api.account.asked import About
from xinghe.api.account.schema import (
    AccountLine,
    AccountShown,
    BudgetShown,
    Lot,
    Stopped,
    Wallet,
)
from xinghe.api.account.shown import told
from xinghe.core import tokens
from xinghe.ledger import Budget
from xinghe.storage import Connection, now

LOTS = 200
"""Of one wallet that are told, those that are spent first."""


def account(
    connection: Connection, principal: Principal, found: About, zone: ZoneInfo
) -> tuple[AccountShown, list[Limit | None]]:
    """With each of its budgets that memory counts: what is used of those is not known here."""
    paying = wallets.wallets(connection, found.paying)
    limits = list(_limits(connection, principal, found))
    own = found.paying[:1] if found.group is not None else (found.member,)
    lots = [
        lot for each in own if each is not None for lot in wallets.spendable(connection, each, LOTS)
    ]
    if found.group is not None:
        appid, name = None, found.group
    else:
        row = connection.row("SELECT appid, name FROM members WHERE id = $1", found.member)
        appid, name = row or (None, None)
    available, held = sum(each.available for each in paying), sum(each.held for each in paying)
    answer = AccountShown(
        object="account",
        appid=appid,
        name=name,
        available=tokens(available),
        held=tokens(held),
        balance=tokens(available + held),
        wallets=[
            Wallet(
                each.group, tokens(each.available), tokens(each.held),
                tokens(each.available + each.held),
            )
            for each in paying
        ],
        lots=[
            Lot(
                kind=lot.kind,
                amount=tokens(lot.amount),
                remaining=tokens(lot.remaining),
                expires_at=None if lot.expires_at is None else told(lot.expires_at, zone),
                created_at=told(lot.created_at, zone),
                models=lot.models,
                note=lot.note,
            )
            for lot in lots
        ],
        budgets=[_budget(whose, each, zone) for whose, each in limits],
        stopped=_stopped(available, limits, zone),
        ask=[] if found.member is None else [*managers(connection, found.member)],
    )  # fmt: skip
    return answer, [_counted_in_memory(whose, each) for whose, each in limits]


def lines_of(shown: AccountShown) -> list[AccountLine]:
    """The same line by line."""
    lines = [
        AccountLine("wallet", each.group or shown.name, "tokens", each.balance, each.available)
        for each in shown.wallets
    ]
    for lot in shown.lots:
        line = AccountLine("lot", lot.kind, "tokens", lot.amount, lot.remaining)
        line.until, line.note = lot.expires_at, lot.note
        if lot.models is not None:
            line.note = " ".join(filter(None, (f"for {', '.join(lot.models)}", lot.note)))
        lines.append(line)
    for each in shown.budgets:
        line = AccountLine("budget", each.whose, each.unit, each.amount, each.left, each.ends_at)
        line.note = " ".join(filter(None, (each.per, each.model)))
        lines.append(line)
    return lines


def _limits(
    connection: Connection, principal: Principal, found: About
) -> Iterator[tuple[str, BudgetState]]:
    """Budgets, and whose each is."""
    if found.group_id is not None:
        for state in budget_tables.states(connection, "b.group_id = $1", found.group_id):
            yield f"the group {found.group}", state
        return
    mine = found.member == principal.member_id
    held = standing(connection, found.member or 0, principal.token_id if mine else 0)
    limits: list[Budget | Limit] = [*held.budgets, *held.limits]
    for each in limits:
        for state in budget_tables.states(connection, "b.id = $1", each.id):
            yield each.whose, state


def _stopped(
    available: int, limits: list[tuple[str, BudgetState]], zone: ZoneInfo
) -> list[Stopped]:
    found = [Stopped("wallet")] if available <= 0 else []
    for whose, each in limits:
        if each.exhausted:
            until = None if each.opens_at is None else told(each.opens_at, zone)
            found.append(Stopped("budget", whose, each.model, until))
    return found


def _counted_in_memory(whose: str, state: BudgetState) -> Limit | None:
    if state.unit == "tokens" or state.unit == "requests":  # noqa: PLR1714 (so types are narrowed)
        return None
    return Limit(state.id, state.unit, state.amount, whose, state.model)


def _budget(whose: str, state: BudgetState, zone: ZoneInfo) -> BudgetShown:
    def amount(number: int) -> Decimal:
        return tokens(number) if state.unit == "tokens" else Decimal(number)

    shown = BudgetShown(whose, state.unit, state.model, amount(state.amount))
    if state.used is not None:
        window = state.window
        shown.used = amount(state.used)
        shown.left = amount(max(0, state.amount - state.used))
        shown.per, shown.rolling, shown.zone = window.per, window.rolling, window.zone
        end = None if window.rolling else window.left(window.part(now()))
        shown.ends_at = None if end is None else told(end, zone)
    return shown
