"""Who did what: one row for each act of an operator."""

from __future__ import annotations

import apsw


def record(
    connection: apsw.Connection, *, at: int, actor: str, action: str, subject: str, detail: str
) -> None:
    """Write one row of the audit table, in the transaction of the act itself."""
    connection.execute(
        "INSERT INTO audit (at, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?)",
        (at, actor, action, subject, detail),
    )
