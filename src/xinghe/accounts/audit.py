"""The audit log: who did what to what, when. It is only ever added to."""

from typing import Any

import msgspec

from xinghe.storage import Connection, now


def alone(connection: Connection) -> None:
    """Have nobody else change what is audited from here on, until the transaction ends.

    For what is to stay true that was looked up before, such as that a name is free.
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
