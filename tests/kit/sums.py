"""All of the books' hourly sums in the coarser ones at once."""

from __future__ import annotations

from xinghe.ledger.agreement import BY_MONTH
from xinghe.ledger.spans import SUMS
from xinghe.ledger.windows import DAY
from xinghe.storage import Connection

_ALL = ", ".join(f"sum(u.{name})" for name in SUMS)
_INTO = ", ".join(SUMS)


def close(connection: Connection) -> None:
    """Of books that were made without them; what was closed is from before now."""
    month = BY_MONTH[connection.dialect]
    connection.run(
        "INSERT INTO usage_members (wallet_id, since, member_id, token_id, model, outcome, "
        f"{_INTO}) SELECT u.wallet_id, {month}, u.member_id, u.token_id, u.model, u.outcome, "
        f"{_ALL} "
        "FROM usage_hours u GROUP BY 1, 2, 3, 4, 5, 6"
    )
    for span, since in ("hour", "u.hour"), ("day", f"u.hour - u.hour % {DAY}"), ("month", month):
        connection.run(
            f"INSERT INTO usage_groups (wallet_id, span, since, model, outcome, {_INTO}) "
            f"SELECT u.wallet_id, '{span}', {since}, u.model, u.outcome, {_ALL} "
            "FROM groups g JOIN usage_hours u ON u.wallet_id = g.wallet_id GROUP BY 1, 3, 4, 5"
        )
