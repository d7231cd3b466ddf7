"""The audit log: who did what to what, when. It is only ever added to."""

from typing import Any

import msgspec

from xinghe.storage import Connection, now

EVER = 2**62
LOOKED_AT = 5_000
"""Rows among which one page looks for those that fit."""


def alone(connection: Connection) -> None:
    """Have nobody else change what is audited from here on, until the transaction ends.

    For what is to stay true that is looked up from here on, such as that a name is free. Wallets
    are locked before: whoever takes both takes the wallets first, then this, as `record` does.
    """
    connection.run("UPDATE revision SET number = number + 1")


def record(
    connection: Connection,
    actor: str,
    action: str,
    subject: str,
    detail: str = "",
    *,
    before: Any = None,
    after: Any = None,
) -> None:
    """Write one row, the last thing that a transaction does.

    What was read of members, groups and budgets is read anew from then on. `before` and `after`
    become JSON; None: there was nothing, or nothing is left.
    """
    connection.run(
        "INSERT INTO audit (at, actor, action, subject, detail, before, after) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        now(),
        actor,
        action,
        subject,
        detail,
        None if before is None else msgspec.json.encode(before).decode(),
        None if after is None else msgspec.json.encode(after).decode(),
    )
    connection.run("UPDATE revision SET number = number + 1")


def record_change(
    connection: Connection,
    actor: str,
    action: str,
    subject: str,
    field: str,
    before: object,
    after: object,
) -> None:
    """As `record`, of a thing one field of which was changed."""
    was, became = ({field: getattr(each, field)} for each in (before, after))
    record(connection, actor, action, subject, before=was, after=became)


class Row(msgspec.Struct, frozen=True):
    """One row; `before` and `after` are JSON, `at` is in microseconds UTC."""

    id: int
    at: int
    actor: str
    action: str
    subject: str
    detail: str
    before: str | None
    after: str | None


class Filters(msgspec.Struct, frozen=True):
    """What is asked for: from `since` on, before `until` (microseconds)."""

    subject: str | None = None
    actor: str | None = None
    action: str | None = None
    since: int = 0
    until: int = EVER


class Page(msgspec.Struct, frozen=True):
    """Rows, the newest first, and the id behind which there may be more."""

    rows: list[Row]
    next: int | None


def newest(connection: Connection, subject: str) -> int:
    """The number of a subject's newest row: it grows with each change; 0 if there is none."""
    found: int = connection.value(
        "SELECT coalesce(max(id), 0) FROM audit WHERE subject = $1", subject
    )
    return found


def page(connection: Connection, filters: Filters, behind: int, limit: int) -> Page:
    """Up to `limit` rows that fit, behind one (0: from the newest on).

    No page looks at more than `LOOKED_AT` rows: one may hold fewer, and the next goes on.
    """
    asked = [(name, getattr(filters, name)) for name in ("subject", "actor", "action")]
    equal = [(name, value) for name, value in asked if value is not None]
    top = min(behind - 1 if behind else EVER, _last_before(connection, filters.until))
    values = [top, *(value for _, value in equal), filters.since, filters.until]
    conditions = [f"{name} = ${place}" for place, (name, _) in enumerate(equal, 2)]
    looked = (
        f"(SELECT * FROM audit WHERE id <= $1 AND {(conditions or ['TRUE'])[0]} "  # noqa: S608
        f"ORDER BY id DESC LIMIT {LOOKED_AT}) AS looked"
    )
    times = f"at >= ${len(equal) + 2} AND at < ${len(equal) + 3}"
    found = connection.rows(
        "SELECT id, at, actor, action, subject, detail, before, after "  # noqa: S608
        f"FROM {looked} WHERE {' AND '.join([*conditions[1:], times])} "
        f"ORDER BY id DESC LIMIT {limit + 1}",
        *values,
    )
    rows = [Row(*row) for row in found[:limit]]
    if len(found) > limit:
        return Page(rows, rows[-1].id)
    query = f"SELECT count(*), min(id), min(at) FROM {looked}"  # noqa: S608
    count, last, at = connection.rows(query, *values[: len(values) - 2][: 2 if equal else 1])[0]
    return Page(rows, last if count == LOOKED_AT and at >= filters.since else None)


def _last_before(connection: Connection, until: int) -> int:
    """The newest row from before a moment: ids grow with time, but where a clock was set back."""
    if until == EVER:
        return EVER
    query = "SELECT id FROM audit WHERE at < $1 ORDER BY at DESC, id DESC LIMIT 1"
    return connection.value(query, until) or 0
