"""The statements on budgets: made, changed, ended, and how much of each is used.

The ledger counts those of Tokens and of requests, `limits` the others. Amounts are micro-Tokens
(`tokens`) or numbers, times microseconds UTC.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import msgspec

from xinghe.accounts.audit import alone, record
from xinghe.accounts.rules import MAX_BALANCE, AccountError, check_models, check_zone
from xinghe.core import tokens
from xinghe.ledger import PERIODS, Budget, Window
from xinghe.ledger.budgets import count, written
from xinghe.ledger.windows import HOUR
from xinghe.storage import Connection, among, now

Unit = Literal["tokens", "requests", "rpm", "tpm", "concurrent"]
KINDS = ("token", "member", "group")
COUNTED = ("tokens", "requests")
"""In the ledger, in windows."""

_COLUMNS = (
    "b.id, b.unit, b.amount, b.per, b.rolling, b.zone, b.model, b.token_id, b.member_id, "
    "b.group_id, b.created_at, b.created_by, "
    "(SELECT t.public_id FROM tokens t WHERE t.id = b.token_id), "
    "(SELECT m.name FROM members m WHERE m.id = b.member_id), "
    "(SELECT g.name FROM groups g WHERE g.id = b.group_id), "
    "(SELECT m.appid FROM members m WHERE m.id = b.member_id), "
    "(SELECT m.appid FROM members m WHERE m.id = b.created_by)"
)
MOST = 10**12
"""Of what is no Tokens."""
MOST_OF_ONE = 50
"""Running budgets of one subject: each is looked at with every request."""
OF_NOBODY = "b.token_id IS NULL AND b.member_id IS NULL AND b.group_id IS NULL"
_OF_SUBJECT = {
    "token_id": "member_id = (SELECT member_id FROM tokens WHERE id = $1) AND token_id = $1",
    "member_id": "member_id = $1",
    "group_id": "member_id IN (SELECT member_id FROM memberships WHERE group_id IN "
    "(SELECT id FROM groups WHERE id = $1 OR parent_id = $1))",
}


class NewBudget(msgspec.Struct, frozen=True):
    """At most `amount` of a `unit`: in each `window`, or at any time (rpm, tpm, concurrent).

    Of the requests with a token, of a member, of a group's members, or, without any, of all; of
    one `model`, or of all.
    """

    unit: Unit
    amount: int
    window: Window | None = None
    model: str | None = None
    token_id: int | None = None
    member_id: int | None = None
    group_id: int | None = None
    created_by: int | None = None
    """The member who makes it; None: whoever has the command line."""


class BudgetState(msgspec.Struct, frozen=True):
    """A budget, and what is `used` of it now; None where memory alone knows.

    `whose` names its token, member or group, or the whole service; `token`, `member` and `maker`
    are public ids. `opens_at` is when the running window of the calendar ends (None: it does not,
    or it rolls).
    """

    id: int
    unit: Unit
    amount: int
    window: Window
    model: str | None
    token_id: int | None
    member_id: int | None
    group_id: int | None
    created_at: int
    created_by: int | None
    whose: str
    token: str | None
    member: str | None
    maker: str | None
    used: int | None
    opens_at: int | None

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left in the running window."""
        return self.used is not None and self.used >= self.amount


def subject(budget: int) -> str:
    """What the audit log calls a budget."""
    return f"budget-{budget}"


def create(connection: Connection, actor: str, new: NewBudget) -> int:
    """A new budget, which begins with what its running window has used before; returns its id.

    Raises `AccountError`.
    """
    check_budget(new)
    alone(connection)  # two at once would both be the last that may be made
    column = next((name for name in _OF_SUBJECT if getattr(new, name) is not None), None)
    where, parameters = (
        (OF_NOBODY, []) if column is None else (f"b.{column} = $1", [getattr(new, column)])
    )
    if len(states(connection, where, *parameters)) >= MOST_OF_ONE:
        raise AccountError(f"there are {MOST_OF_ONE} budgets on it already: end one before")
    at, window = now(), new.window
    budget: int = connection.value(
        "INSERT INTO budgets (unit, amount, per, rolling, zone, model, token_id, member_id, "
        "group_id, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) "
        "RETURNING id",
        new.unit,
        new.amount,
        window and window.per,
        int(window is not None and window.rolling),
        window.zone if window else "UTC",
        new.model,
        new.token_id,
        new.member_id,
        new.group_id,
        new.created_by,
        at,
    )
    if window is not None:
        counted: Any = new.unit
        _begin(connection, Budget(budget, counted, window, new.amount, ""), new, at)
    record(connection, actor, "budget.create", subject(budget), after=new)
    return budget


def amend(connection: Connection, actor: str, budget: int, amount: int) -> None:
    """Change a budget's amount. Raises `AccountError`."""
    found = state(connection, budget)
    check_amount(found.unit, amount)
    before = found.amount
    connection.run("UPDATE budgets SET amount = $1 WHERE id = $2", amount, budget)
    changed = {"amount": before}, {"amount": amount}
    record(connection, actor, "budget.amend", subject(budget), before=changed[0], after=changed[1])


def end(connection: Connection, actor: str, budget: int) -> None:
    """End a budget. Raises `AccountError` if there is no such."""
    ended = connection.run(
        "UPDATE budgets SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL", now(), budget
    )
    if not ended:
        raise AccountError(f"there is no budget {budget}")
    record(connection, actor, "budget.end", subject(budget))


def states(connection: Connection, where: str, *subject: object) -> list[BudgetState]:
    """The budgets that a condition on `b` finds, the oldest first, with what is used of them."""
    at = now()
    rows = connection.rows(
        f"SELECT {_COLUMNS} FROM budgets b WHERE b.ended_at IS NULL AND {where} "  # noqa: S608
        "ORDER BY b.id",
        *subject,
    )
    windows = {row[0]: _window(row) for row in rows}
    used = _used(connection, at, {row[0]: windows[row[0]] for row in rows if row[3] is not None})
    return [_state(at, windows[row[0]], used, row) for row in rows]


def cap_of(connection: Connection, token_id: int) -> BudgetState | None:
    """A token's budget of Tokens for all models; of several, the first."""
    capped = "b.token_id = $1 AND b.unit = 'tokens' AND b.model IS NULL"
    return next(iter(states(connection, capped, token_id)), None)


def check_budget(new: NewBudget) -> None:
    """Raises `AccountError`."""
    if (new.window is not None) != (new.unit in COUNTED):
        raise AccountError(
            f"per: a budget of {new.unit} has {'a' if new.window is None else 'no'} window of time"
        )
    if new.window is not None:
        if new.window.per not in PERIODS:
            raise AccountError(f"per: {new.window.per!a} is not allowed: {', '.join(PERIODS)}")
        check_zone(new.window.zone)
        if new.window.rolling and new.window.per == "total":
            raise AccountError("rolling: true is not allowed: all time does not roll")
    if new.model is not None:
        check_models([new.model])
    check_amount(new.unit, new.amount)


def check_amount(unit: Unit, amount: int) -> None:
    """Raises `AccountError`."""
    least, most = (0 if unit in COUNTED else 1), (MAX_BALANCE if unit == "tokens" else MOST)
    if not least <= amount <= most:
        told = [
            tokens(each) if unit == "tokens" else Decimal(each) for each in (amount, least, most)
        ]
        of = " Tokens" if unit == "tokens" else ""
        raise AccountError(
            f"amount: {told[0]:f}{of} is not allowed: {told[1]:f} to {told[2]:f}{of}"
        )


def state(connection: Connection, budget: int) -> BudgetState:
    """A running budget. Raises `AccountError`."""
    found = states(connection, "b.id = $1", budget)
    if not found:
        raise AccountError(f"there is no budget {budget}")
    return found[0]


def _window(row: tuple[Any, ...]) -> Window:
    per, rolling, zone = row[3:6]
    return Window(per or "total", bool(rolling), zone)


def _used(connection: Connection, at: int, windows: Mapping[int, Window]) -> dict[int, int]:
    """What is used of budgets that the ledger counts, by their ids."""
    found = dict.fromkeys(windows, 0)
    together: dict[int, list[int]] = {}
    for budget, window in windows.items():
        together.setdefault(window.first(at), []).append(budget)
    for first, budgets in together.items():
        some, ids = among(connection, "budget_id", "$1", budgets)
        found |= dict(
            connection.rows(
                "SELECT budget_id, CAST(sum(used) AS BIGINT) FROM budget_windows "  # noqa: S608
                f"WHERE {some} AND since >= $2 GROUP BY budget_id",
                ids,
                first,
            )
        )
    return found


def _state(at: int, window: Window, used: Mapping[int, int], row: tuple[Any, ...]) -> BudgetState:
    budget, unit, amount, per, _, _, model, token, member, group, created_at, created_by = row[:12]
    *names, appid, maker = row[12:]
    whose = next(
        (f"{kind} {name}" for kind, name in zip(KINDS, names, strict=True) if name is not None),
        "the service",
    )
    return BudgetState(
        id=budget,
        unit=unit,
        amount=amount,
        window=window,
        model=model,
        token_id=token,
        member_id=member,
        group_id=group,
        created_at=created_at,
        created_by=created_by,
        whose=whose,
        token=names[0],
        member=appid,
        maker=maker,
        used=used.get(budget),
        opens_at=None if per is None or window.rolling else window.left(window.part(at)),
    )


def _subject(new: NewBudget) -> tuple[str, list[int]]:
    """A condition on `member_id` and `token_id`, with its parameters."""
    for column, condition in _OF_SUBJECT.items():
        subject = getattr(new, column)
        if subject is not None:
            return condition, [subject]
    return "0 = 0", []


def _begin(connection: Connection, budget: Budget, new: NewBudget, at: int) -> None:
    """Count what the running window has used before, and what is held now.

    The first is what the roll-ups say; an hour counts whole.
    """
    window, first = budget.window, budget.window.first(at)
    condition, subject = _subject(new)
    since, model = (f"${len(subject) + place}" for place in (1, 2))
    before: dict[int, int] = {}
    for hour, spend, requests in connection.rows(
        "SELECT hour, CAST(sum(spend) AS BIGINT), CAST(sum(requests) AS BIGINT) FROM usage_hours "  # noqa: S608
        f"WHERE {condition} AND hour > {since} AND outcome = '' "
        f"AND (model = {model} OR {model} IS NULL) GROUP BY hour",
        *subject,
        first - HOUR,
        new.model,
    ):
        part = window.part(max(hour, first))
        before[part] = before.get(part, 0) + (spend if new.unit == "tokens" else requests)
    for part, used in before.items():
        connection.run(
            "INSERT INTO budget_windows (budget_id, since, base, used) VALUES ($1, $2, $3, $3)",
            budget.id,
            part,
            used,
        )
    for hold, created_at in connection.rows(
        f"SELECT id, created_at FROM holds WHERE {condition} AND state = 'open' "  # noqa: S608
        f"AND created_at >= {since} AND (model = {model} OR {model} IS NULL)",
        *subject,
        first,
        new.model,
    ):
        held = connection.value(
            "UPDATE holds SET budgets = CASE budgets WHEN '' THEN $1 ELSE budgets || ' ' || $1 END "
            "WHERE id = $2 AND state = 'open' RETURNING amount",
            written(((budget.id, window.part(created_at)),)),
            hold,
        )
        if held is not None:  # it was not settled meanwhile
            count(connection, (budget,), held, created_at)
