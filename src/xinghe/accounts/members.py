"""Members and the wallets of their own, as the API, the console and the command line use them."""

import secrets
import string

from xinghe.accounts import rules, tables
from xinghe.accounts.audit import record
from xinghe.accounts.tables import Member
from xinghe.core import INITIAL_GRANT
from xinghe.storage import Connection, Database, now

DEFAULT_MEMBER = "default"
"""Who is there from the first start on; he operates the service."""

_ID_ALPHABET = string.ascii_lowercase + string.digits


class Members:
    """Every method raises `StorageError` if the database cannot be used.

    What changes something is audited under `actor`. Amounts are micro-Tokens, times microseconds
    UTC; a member is named by his name or his appid.
    """

    def __init__(self, database: Database, *, actor: str = "server") -> None:
        self._database = database
        self._actor = actor

    async def create(self, name: str, *, amount: int = INITIAL_GRANT) -> Member:
        """A new member with his first lot (none if `amount` is 0). Raises `AccountError`."""
        rules.check_name(name)
        rules.check_amount(amount, least=0)
        return await self._database.write(lambda c: create_member(c, self._actor, name, amount))

    async def get(self, name: str) -> Member:
        """Raises `AccountError` if there is none."""
        return await self._database.read(lambda c: tables.member(c, name))

    async def list(self) -> list[Member]:
        """All members, the oldest first."""
        return await self._database.read(tables.all_members)

    async def grant(
        self, name: str, amount: int, *, expires_at: int | None = None, note: str = ""
    ) -> Member:
        """Give a member's wallet a lot of its own. Raises `AccountError`."""
        at = now()
        rules.check_amount(amount)
        rules.check_expiry(expires_at, at)
        rules.check_note(note)

        def operation(connection: Connection) -> Member:
            to = tables.locked_member(connection, name)
            after = tables.grant(connection, to, amount, at=at, expires_at=expires_at, note=note)
            given = {"amount": amount, "expires_at": expires_at, "note": note}
            record(connection, self._actor, "wallet.grant", to.appid, after=given)
            return after

        return await self._database.write(operation)

    async def ensure_default(self) -> Member | None:
        """Make the member `default` if there is nobody at all; returns it if it was made."""

        def operation(connection: Connection) -> Member | None:
            if connection.value("SELECT EXISTS (SELECT 1 FROM members)"):
                return None
            return create_default(connection, self._actor)

        return await self._database.write(operation)


def create_default(connection: Connection, actor: str) -> Member:
    """Raises `AccountError` if there is one."""
    return create_member(connection, actor, DEFAULT_MEMBER, INITIAL_GRANT, operator=True)


def create_member(
    connection: Connection, actor: str, name: str, amount: int, *, operator: bool = False
) -> Member:
    """A new member, granted an amount. Raises `AccountError` if the name is taken."""
    at = now()
    appid = "app-" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(10))
    made = tables.insert_member(connection, appid, name, at, operator=operator)
    if amount:
        made = tables.grant(connection, made, amount, at=at, note="initial grant")
    after = {"name": name, "amount": amount, "operator": operator}
    record(connection, actor, "member.create", appid, after=after)
    return made
