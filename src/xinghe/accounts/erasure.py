"""Deleting a person: the name goes wherever it stands, and what was used stays in the books.

Each statement is part of the caller's transaction, but for what is cleared afterwards.
"""

from typing import Any

import msgspec

from xinghe.accounts import group_tables
from xinghe.accounts.tables import Member
from xinghe.storage import Allowance, Connection

PERSONAL = ("name",)
"""Fields of what the audit log says of members and tokens that may name a person."""
KEPT = ("kept_answers", "kept_responses")
"""Tables of answers that were stored."""
ANSWERS = 20
"""Stored answers, which may be long, of each kind that one of many transactions deletes."""


def forget(connection: Connection, member: Member, at: int) -> None:
    """Have nothing say any more who a member was; nobody calls or signs in as him again."""
    for membership in group_tables.of_member(connection, member.id):
        group_tables.leave(connection, membership.group_id, member.id)
    group_tables.pay_by(connection, member.id, [])
    for table, column in (
        ("identities", "member_id"),
        ("sessions", "member_id"),
        ("alerts", "wallet_id"),
    ):
        connection.run(f"DELETE FROM {table} WHERE {column} = $1", member.id)  # noqa: S608
    connection.run_many(
        "UPDATE budgets SET ended_at = $1 WHERE id = $2",
        [(at, budget) for budget in budgets_of(connection, member.id)],
    )
    connection.run(
        "UPDATE tokens SET name = '', revoked_at = coalesce(revoked_at, $1) WHERE member_id = $2",
        at,
        member.id,
    )
    connection.run(
        "UPDATE members SET name = NULL, password = NULL, operator = 0, "
        "disabled_at = coalesce(disabled_at, $1), deleted_at = $1 WHERE id = $2",
        at,
        member.id,
    )
    _rewrite_audit(connection, member)


def budgets_of(connection: Connection, member_id: int) -> list[int]:
    """The running budgets that end with a member: his own, and those of his tokens."""
    rows = connection.rows(
        "SELECT id FROM budgets WHERE ended_at IS NULL AND member_id = $1 UNION ALL "
        "SELECT b.id FROM tokens t JOIN budgets b ON b.token_id = t.id "
        "WHERE t.member_id = $1 AND b.ended_at IS NULL",
        member_id,
    )
    return [budget for (budget,) in rows]


def clear(connection: Connection, _: Allowance, member_id: int) -> tuple[int, bool]:
    """A step of deleting the stored answers of a deleted member."""
    left = [
        connection.run(
            f"DELETE FROM {table} WHERE id IN "  # noqa: S608
            f"(SELECT id FROM {table} WHERE member_id = $1 LIMIT $2)",
            member_id,
            ANSWERS,
        )
        for table in KEPT
    ]
    return member_id, not any(left)


def _rewrite_audit(connection: Connection, member: Member) -> None:
    rows = connection.rows(
        "SELECT id, before, after FROM audit WHERE subject = $1 OR subject IN "
        "(SELECT public_id FROM tokens WHERE member_id = $2)",
        member.appid,
        member.id,
    )
    connection.run_many(
        "UPDATE audit SET detail = '', before = $1, after = $2 WHERE id = $3",
        [(_nameless(before), _nameless(after), row_id) for row_id, before, after in rows],
    )


def _nameless(told: str | None) -> str | None:
    if told is None:
        return None
    value: Any = msgspec.json.decode(told)
    if isinstance(value, dict):
        value = {key: None if key in PERSONAL else each for key, each in value.items()}
    return msgspec.json.encode(value).decode()
