"""Groups and budgets, made by statements, and beside a running service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from xinghe.accounts import audit, budget_tables
from xinghe.accounts.budget_tables import NewBudget, Unit
from xinghe.storage import Connection, Database

T = TypeVar("T")


def beside(data: Path, operation: Callable[[Connection], T]) -> T:
    """Do it in the SQLite database of a data directory, as another process would."""

    async def write() -> T:
        async with await Database.open(data) as database:
            return await database.write(operation)

    return asyncio.run(write())


def limit(
    connection: Connection, unit: Unit, amount: int, model: str | None = None, **subject: str
) -> int:
    """A budget that memory counts, of a `token` (its secret), a `member`, a `group`, or of all."""
    found: dict[str, Any] = {f"{kind}_id": _id(connection, kind, subject[kind]) for kind in subject}
    return budget_tables.create(connection, "tester", NewBudget(unit, amount, model=model, **found))


def change(connection: Connection, budget: int, amount: int | None) -> None:
    """Another amount; None ends it."""
    if amount is None:
        budget_tables.end(connection, "tester", budget)
    else:
        budget_tables.amend(connection, "tester", budget, amount)


def group(connection: Connection, name: str, *members: str, below: str | None = None) -> None:
    """A group with an empty wallet and those members, `below` an organisation."""
    connection.run(
        "INSERT INTO groups (name, parent_id, wallet_id, created_at) VALUES ($1, $2, $3, 0)",
        name,
        None if below is None else _id(connection, "group", below),
        connection.value("INSERT INTO wallets (created_at) VALUES (0) RETURNING id"),
    )
    for member in members:
        connection.run(
            "INSERT INTO memberships (group_id, member_id, role, joined_at) "
            "VALUES ($1, $2, 'member', 0)",
            _id(connection, "group", name),
            _id(connection, "member", member),
        )
    audit.record(connection, "tester", "group.create", name)


def _id(connection: Connection, kind: str, name: str) -> int:
    column, of = ("public_id", name.split("-")[1]) if kind == "token" else ("name", name)
    found: int = connection.value(f"SELECT id FROM {kind}s WHERE {column} = $1", of)
    return found
