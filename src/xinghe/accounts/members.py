"""Members and the wallets of their own, as the API, the console and the command line use them."""

import secrets
import string
from collections.abc import Callable, Iterable

from xinghe.accounts import erasure, rules, tables, wallets
from xinghe.accounts.audit import alone, record, record_change
from xinghe.accounts.rules import AccountError
from xinghe.accounts.tables import Member
from xinghe.core import INITIAL_GRANT
from xinghe.storage import Connection, Database, in_batches, now

DEFAULT_MEMBER = "default"
"""Who is there from the first start on; he operates the service."""

PAGE = 100
_ID_ALPHABET = string.ascii_lowercase + string.digits


class Members:
    """Every method raises `StorageError` if the database cannot be used.

    What changes something is audited under `actor`. Amounts are micro-Tokens, times microseconds
    UTC; a member is named by his name or his appid. With `keeps_an_operator`, whatever would leave
    nobody to administer the service raises `AccountError`.
    """

    def __init__(
        self, database: Database, *, actor: str = "server", keeps_an_operator: bool = False
    ) -> None:
        self._database = database
        self._actor = actor
        self._keeps_an_operator = keeps_an_operator

    async def create(self, name: str, *, amount: int = INITIAL_GRANT) -> Member:
        """A new member with his first lot (none if `amount` is 0). Raises `AccountError`."""
        rules.check_name(name)
        rules.check_amount(amount, least=0)
        return await self._database.write(lambda c: create_member(c, self._actor, name, amount))

    async def get(self, name: str) -> Member:
        """Raises `AccountError` if there is none."""
        return await self._database.read(lambda c: tables.member(c, name))

    async def page(self, *, after: int = 0, limit: int = PAGE) -> list[Member]:
        """The members behind the id `after`, the oldest first."""
        return await self._database.read(lambda c: tables.members(c, after, limit))

    async def search(self, prefix: str, *, after: int = 0, limit: int = PAGE) -> list[Member]:
        """Those whose names begin so, by name, behind the member of the id `after`."""
        return await self._database.read(lambda c: tables.members_called(c, prefix, after, limit))

    async def rename(self, name: str, new: str) -> Member:
        """Raises `AccountError`."""
        rules.check_name(new)

        def change(connection: Connection, member: Member) -> None:
            if new != member.name:
                alone(connection)
                tables.check_free(connection, new)
            connection.run("UPDATE members SET name = $1 WHERE id = $2", new, member.id)

        return await self._change(name, "rename", "name", change)

    async def disable(self, name: str) -> Member:
        """Have every token refused from the next request on, and end what runs.

        Doing it twice is no error. Raises `AccountError`.
        """

        def change(connection: Connection, member: Member) -> None:
            connection.run(
                "UPDATE members SET disabled_at = coalesce(disabled_at, $1) WHERE id = $2",
                now(),
                member.id,
            )
            connection.run("DELETE FROM sessions WHERE member_id = $1", member.id)

        return await self._change(name, "disable", "disabled_at", change)

    async def enable(self, name: str) -> Member:
        """Undo `disable`. Raises `AccountError`."""

        def change(connection: Connection, member: Member) -> None:
            connection.run("UPDATE members SET disabled_at = NULL WHERE id = $1", member.id)

        return await self._change(name, "enable", "disabled_at", change)

    async def set_operator(self, name: str, operator: bool) -> Member:
        """Let a member do everything with a token of scope `admin`, or no longer.

        Raises `AccountError`.
        """

        def change(connection: Connection, member: Member) -> None:
            connection.run(
                "UPDATE members SET operator = $1 WHERE id = $2", int(operator), member.id
            )

        return await self._change(name, "operator", "operator", change)

    async def delete(self, name: str) -> None:
        """Delete a person: the name goes wherever it stands, what was used stays in the books.

        Raises `AccountError`.
        """

        def operation(connection: Connection) -> int:
            member = tables.member(connection, name)
            connection.lock([member.id], erasure.budgets_of(connection, member.id))
            member = tables.member(connection, name)
            erasure.forget(connection, member, now())
            record(connection, self._actor, "member.delete", member.appid)
            self._keep_an_operator(connection, member)
            return member.id

        deleted = await self._database.write(operation)
        await in_batches(self._database, erasure.clear, deleted)

    async def grant(
        self,
        name: str,
        amount: int,
        *,
        expires_at: int | None = None,
        models: Iterable[str] | None = None,
        note: str = "",
    ) -> Member:
        """Give a member's wallet a lot of its own. Raises `AccountError`."""

        def operation(connection: Connection) -> Member:
            to = tables.member(connection, name).id
            wallets.grant(
                connection, self._actor, to, amount, expires_at=expires_at, models=models, note=note
            )
            return tables.member(connection, name)

        return await self._database.write(operation)

    async def ensure_default(self) -> Member | None:
        """Make the member `default` if there is nobody at all; returns it if it was made."""

        def operation(connection: Connection) -> Member | None:
            if connection.value("SELECT EXISTS (SELECT 1 FROM members)"):
                return None
            return create_default(connection, self._actor)

        return await self._database.write(operation)

    async def _change(
        self,
        name: str,
        action: str,
        field: str,
        change: Callable[[Connection, Member], None],
    ) -> Member:
        def operation(connection: Connection) -> Member:
            before = tables.locked_member(connection, name)
            change(connection, before)
            after = tables.member(connection, before.appid)
            subject = before.appid
            record_change(
                connection, self._actor, f"member.{action}", subject, field, before, after
            )
            self._keep_an_operator(connection, before)
            return after

        return await self._database.write(operation)

    def _keep_an_operator(self, connection: Connection, before: Member) -> None:
        """Once that is recorded which a member was changed by: no two do so at a time."""
        was_one = before.operator and before.disabled_at is None
        if self._keeps_an_operator and was_one and not tables.has_operator(connection):
            raise AccountError(
                f"{before.name!r} is the only operator who is not disabled: make another member "
                "an operator first"
            )


def create_default(connection: Connection, actor: str) -> Member:
    """Raises `AccountError` if there is one."""
    return create_member(connection, actor, DEFAULT_MEMBER, INITIAL_GRANT, operator=True)


def create_member(
    connection: Connection,
    actor: str,
    name: str,
    amount: int,
    *,
    operator: bool = False,
    password: str | None = None,
) -> Member:
    """A new member, granted an amount; `password` is a hash.

    Raises `AccountError` if the name is taken.
    """
    at = now()
    appid = "app-" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(10))
    made = tables.insert_member(connection, appid, name, at, operator=operator, password=password)
    if amount:
        wallets.credit(connection, made.id, amount, note="initial grant")
        made = tables.member(connection, appid)
    after = {"name": name, "amount": amount, "operator": operator}
    record(connection, actor, "member.create", appid, after=after)
    return made
