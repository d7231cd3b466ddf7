"""Budgets as the ledger counts them: so many Tokens, or requests, in each window.

A hold counts in the windows in which it was opened, for ever: what it pins while it is open, what
it cost once it is captured, nothing if it was released. `budget_windows` caches those sums, and
`holds.budgets` says where each hold counts. Every function is part of the caller's transaction,
which has locked the budgets.
"""

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

from xinghe.ledger.windows import Window
from xinghe.storage import Connection

Unit = Literal["tokens", "requests"]


class Budget(msgspec.Struct, frozen=True):
    """At most `amount` in each window: micro-Tokens, or requests.

    `whose` says in a message whose budget it is: `token`, `member`, `group …`, `model`. It counts
    requests of one `model`, or of all.
    """

    id: int
    unit: Unit
    window: Window
    amount: int
    whose: str
    model: str | None = None


class BudgetReached(msgspec.Struct, frozen=True):
    """A request does not fit; `opens_at` is when it would if nothing else came; None: never."""

    budget: Budget
    used: int
    needed: int
    opens_at: int | None


Places: TypeAlias = tuple[tuple[int, int], ...]
"""Pairs of a budget's id and the part of its window."""


def places(written: str) -> Places:
    """What `holds.budgets` says."""
    pairs = (each.split("@") for each in written.split())
    return tuple((int(budget), int(part)) for budget, part in pairs)


def written(found: Places) -> str:
    """For `holds.budgets`."""
    return " ".join(f"{budget}@{part}" for budget, part in found)


def look(
    connection: Connection, budgets: Iterable[Budget], amount: int, at: int
) -> BudgetReached | None:
    """The first budget that does not cover a hold of an amount; None where all do."""
    for budget in budgets:
        needed = amount if budget.unit == "tokens" else 1
        window = budget.window
        parts: list[tuple[int, int]] = connection.rows(
            "SELECT since, used FROM budget_windows WHERE budget_id = $1 AND since >= $2 "
            "ORDER BY since",
            budget.id,
            window.first(at),
        )
        used = sum(each for _, each in parts)
        if used + needed <= budget.amount:
            continue
        opens_at, left = None, used
        if needed <= budget.amount:
            for part, each in parts:
                left -= each
                if left + needed <= budget.amount:
                    opens_at = window.left(part)
                    break
        return BudgetReached(budget, used, needed, opens_at)
    return None


def count(connection: Connection, budgets: Iterable[Budget], amount: int, at: int) -> Places:
    """Count a hold that is opened; returns where."""
    found = tuple((budget.id, budget.window.part(at)) for budget in budgets)
    for budget, (_, part) in zip(budgets, found, strict=True):
        added = amount if budget.unit == "tokens" else 1
        used = connection.value(
            "INSERT INTO budget_windows (budget_id, since, used) VALUES ($1, $2, $3) "
            "ON CONFLICT (budget_id, since) DO UPDATE SET used = budget_windows.used + $3 "
            "RETURNING used",
            budget.id,
            part,
            added,
        )
        if used == added:  # the first in it: what lies before the window is of no more use
            connection.run(
                "DELETE FROM budget_windows WHERE budget_id = $1 AND since < $2",
                budget.id,
                budget.window.first(at),
            )
    return found


def correct(connection: Connection, found: Places, amount: int, requests: int = 0) -> None:
    """Add to what was counted of a hold in its windows; those that were dropped count no more."""
    for budget, part in found:
        connection.run(
            "UPDATE budget_windows SET used = used + CASE (SELECT unit FROM budgets WHERE id = $1) "
            "WHEN 'tokens' THEN CAST($2 AS BIGINT) ELSE CAST($3 AS BIGINT) END "
            "WHERE budget_id = $1 AND since = $4",
            budget,
            amount,
            requests,
            part,
        )
