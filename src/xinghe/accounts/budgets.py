"""Budgets, as the API, the console and the command line use them."""

import msgspec

from xinghe.accounts import group_tables, tables
from xinghe.accounts.budget_tables import (
    KINDS,
    OF_NOBODY,
    BudgetState,
    NewBudget,
    Unit,
    amend,
    check_budget,
    create,
    end,
    state,
    states,
)
from xinghe.accounts.rules import AccountError
from xinghe.storage import Connection, Database


class Subject(msgspec.Struct, frozen=True):
    """Whose requests count: a token's (number or public id), a member's or a group's (by name); of
    nobody in particular: all.
    """

    token: str | None = None
    member: str | None = None
    group: str | None = None


class Budgets:
    """Every method raises `AccountError`, and `StorageError` if the database cannot be used.

    What changes something is audited under `actor`.
    """

    def __init__(self, database: Database, *, actor: str = "server") -> None:
        self._database = database
        self._actor = actor

    async def create(self, new: NewBudget, subject: Subject) -> BudgetState:
        """A new budget; its ids are those of the subject."""
        check_budget(new)

        def operation(connection: Connection) -> BudgetState:
            column, found = _found(connection, subject)
            named = msgspec.structs.replace(new, **({column: found} if column else {}))
            return state(connection, create(connection, self._actor, named))

        return await self._database.write(operation)

    async def list(self, subject: Subject | None = None) -> list[BudgetState]:
        """Those of a subject, or all; the oldest first."""

        def operation(connection: Connection) -> list[BudgetState]:
            if subject is None:
                return states(connection, "0 = 0")
            column, found = _found(connection, subject)
            if column is None:
                return states(connection, OF_NOBODY)
            return states(connection, f"b.{column} = $1", found)

        return await self._database.read(operation)

    async def amend(self, budget: int, amount: int, unit: Unit) -> BudgetState:
        """Change its amount, which is of its own unit; what was used stays used."""

        def operation(connection: Connection) -> BudgetState:
            found = state(connection, budget)
            if found.unit != unit:
                raise AccountError(
                    f"unit: {unit} is not allowed: budget {budget} is of {found.unit}"
                )
            amend(connection, self._actor, budget, amount)
            return state(connection, budget)

        return await self._database.write(operation)

    async def end(self, budget: int) -> None:
        """End it: it holds from the next request on no longer."""
        await self._database.write(lambda c: end(c, self._actor, budget))


def _found(connection: Connection, subject: Subject) -> tuple[str | None, int | None]:
    """The column that names a subject, and its id."""
    named = [name for name in KINDS if getattr(subject, name) is not None]
    if len(named) > 1:
        raise AccountError(f"a budget is of one: not of {' and of '.join(named)}")
    if subject.token is not None:
        return "token_id", tables.token(connection, subject.token).id
    if subject.member is not None:
        return "member_id", tables.member(connection, subject.member).id
    if subject.group is not None:
        return "group_id", group_tables.group(connection, subject.group).id
    return None, None
