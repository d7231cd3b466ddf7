"""Whom somebody may ask who is kept from asking models: who manages his groups, else the operator.

What is said to him is said in both languages: an error of the API is often all that he sees.
"""

from __future__ import annotations

from collections.abc import Sequence

from xinghe.storage import Connection

MOST = 3
_MANAGERS = (
    "SELECT DISTINCT m.name FROM memberships mine "
    "JOIN groups g ON g.id = mine.group_id AND g.deleted_at IS NULL "
    "JOIN memberships s ON s.group_id IN (g.id, g.parent_id) AND s.role <> 'member' "
    "JOIN members m ON m.id = s.member_id AND m.disabled_at IS NULL "
    "WHERE mine.member_id = $1 AND s.member_id <> $1 ORDER BY m.name"
)


class MemberDisabled(Exception):
    """An access token is right, and its member is disabled; `managers` may enable him."""

    def __init__(self, managers: Sequence[str]) -> None:
        super().__init__("the member is disabled")
        self.managers = managers


def managers(connection: Connection, member_id: int) -> tuple[str, ...]:
    """The names of some who manage a member's groups; none: the operator is to be asked."""
    rows = connection.rows(f"{_MANAGERS} LIMIT {MOST}", member_id)
    return tuple(name for (name,) in rows)


def ask(managers: Sequence[str]) -> tuple[str, str]:
    """In Chinese, and in English."""
    if not managers:
        return "请找管理员", "ask the operator"
    return f"请找{'、'.join(managers)}", f"ask {', '.join(managers)}"
