"""Coming in by invitation: a code that lets so many people into a group, until it expires."""

import hashlib
import re
import secrets
from typing import Any, Literal

import msgspec

from xinghe.accounts import group_tables, rules
from xinghe.accounts.audit import record
from xinghe.accounts.group_tables import Membership, Pays
from xinghe.accounts.groups import join
from xinghe.accounts.members import create_member
from xinghe.accounts.rights import Role
from xinghe.accounts.rules import AccountError
from xinghe.accounts.tables import Member
from xinghe.core import INITIAL_GRANT
from xinghe.ledger.windows import DAY
from xinghe.storage import Connection, Database, now

MOST_USES = 10_000
LONGEST = 366 * DAY
DEFAULT_TIME = 7 * DAY

_CODE = re.compile(r"xi-[A-Za-z0-9_-]{32}")
# The last column: whether who made it may still make such.
_SELECT = (
    "SELECT i.id, i.group_id, g.name, i.role, i.pays, i.amount, i.uses_left, i.expires_at, "
    "m.appid, i.created_at, i.revoked_at, CASE WHEN i.created_by IS NULL OR m.disabled_at IS NULL "
    "AND (m.operator = 1 OR EXISTS (SELECT 1 FROM memberships s WHERE s.member_id = i.created_by "
    "AND (s.group_id = g.id OR s.group_id = g.parent_id) "
    "AND (s.role = 'owner' OR s.role = 'manager' AND i.role = 'member'))) THEN 1 ELSE 0 END "
    "FROM invitations i JOIN groups g ON g.id = i.group_id "
    "LEFT JOIN members m ON m.id = i.created_by WHERE g.deleted_at IS NULL AND "
)
_INVALID = "the invitation is not valid: it has expired, was used up or revoked, or never was"


class Invitation(msgspec.Struct, frozen=True):
    """An invitation without its code. `amount` in micro-Tokens is what a new member's own wallet
    begins with; `created_by` is an appid, None for the command line. Times in microseconds UTC.
    """

    id: int
    group_id: int
    group: str
    role: Role
    pays: Pays
    amount: int
    uses_left: int
    expires_at: int
    created_by: str | None
    created_at: int
    revoked_at: int | None
    stands: bool
    """Whether who made it may still make such."""

    def state(self, at: int) -> Literal["revoked", "expired", "used", "open"]:
        if self.revoked_at is not None or not self.stands:
            return "revoked"
        if self.expires_at <= at:
            return "expired"
        return "open" if self.uses_left else "used"


class Invitations:
    """Every method raises `StorageError` if the database cannot be used, and `AccountError`.

    What changes something is audited under `actor`. A group is named by its name or its id.
    """

    def __init__(self, database: Database, *, actor: str = "server") -> None:
        self._database = database
        self._actor = actor

    async def create(
        self,
        group: str | int,
        *,
        role: Role = "member",
        pays: Pays = "group",
        amount: int | None = None,
        uses: int = 1,
        expires_at: int | None = None,
        created_by: int | None = None,
    ) -> tuple[Invitation, str]:
        """A new invitation and its code, which is returned this once.

        Without an `amount`, a new member whose own wallet pays alone begins with the initial
        grant, others with nothing. Without `expires_at`, it is valid for a week.
        """
        at = now()
        until = at + DEFAULT_TIME if expires_at is None else expires_at
        if not 1 <= uses <= MOST_USES:
            raise AccountError(f"uses: {uses} is not allowed: 1 to {MOST_USES}")
        if not at < until <= at + LONGEST:
            raise AccountError(f"expires_at: {until} is not allowed: within a year from now")
        if amount is None:
            amount = INITIAL_GRANT if pays == "own" else 0
        rules.check_amount(amount, least=0)
        code = f"xi-{secrets.token_urlsafe(24)}"

        def operation(connection: Connection) -> Invitation:
            found = group_tables.locked_group(connection, group)
            made = connection.value(
                "INSERT INTO invitations (group_id, role, pays, amount, digest, uses_left, "
                "expires_at, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
                "RETURNING id",
                found.id,
                role,
                pays,
                amount,
                _digest(code),
                uses,
                until,
                created_by,
                at,
            )
            invitation = find(connection, made)
            record(connection, self._actor, "invitation.create", found.subject, after=invitation)
            return invitation

        return await self._database.write(operation), code

    async def get(self, invitation: int) -> Invitation:
        return await self._database.read(lambda c: find(c, invitation))

    async def page(self, group: str | int, *, after: int = 0, limit: int = 100) -> list[Invitation]:
        """The invitations into a group behind the id `after`, the oldest first."""

        def operation(connection: Connection) -> list[Invitation]:
            rows = connection.rows(
                f"{_SELECT}i.group_id = $1 AND i.id > $2 ORDER BY i.id LIMIT $3",
                group_tables.group(connection, group).id,
                after,
                limit,
            )
            return [_invitation(row) for row in rows]

        return await self._database.read(operation)

    async def revoke(self, invitation: int) -> Invitation:
        """Let nobody else in by it. Doing it twice is no error."""

        def operation(connection: Connection) -> Invitation:
            before = find(connection, invitation)
            if before.revoked_at is None:
                connection.run(
                    "UPDATE invitations SET revoked_at = $1 WHERE id = $2", now(), invitation
                )
                subject = f"group-{before.group_id}"
                record(connection, self._actor, "invitation.revoke", subject, before=before)
            return find(connection, invitation)

        return await self._database.write(operation)

    async def look(self, code: str) -> Invitation:
        """What a code that is valid now invites to."""
        return await self._database.read(lambda c: _valid(c, code))

    async def accept(self, code: str, member: str) -> Membership:
        """Put a member into the group that a code invites to; it is used once more."""
        return await self._database.write(lambda c: accept(c, self._actor, code, member))

    async def sign_up(self, code: str, name: str, *, password: str | None = None) -> Member:
        """Make a new member in the group that a code invites to; `password` is its hash."""
        return await self._database.write(
            lambda c: sign_up(c, self._actor, code, name, password=password)
        )


def accept(connection: Connection, actor: str, code: str, member: str) -> Membership:
    """Put a member into the group that a code invites to. Raises `AccountError`."""
    invitation = _valid(connection, code)
    group, who = group_tables.locked_both(connection, invitation.group_id, member)
    _use(connection, code)
    return join(connection, actor, group, who, invitation.role, invitation.pays)


def sign_up(
    connection: Connection, actor: str, code: str, name: str, *, password: str | None = None
) -> Member:
    """Make a new member in the group that a code invites to. Raises `AccountError`."""
    rules.check_name(name)
    invitation = _valid(connection, code)
    group = group_tables.locked_group(connection, invitation.group_id)
    _use(connection, code)
    made = create_member(connection, actor, name, invitation.amount, password=password)
    join(connection, actor, group, made, invitation.role, invitation.pays)
    return made


def find(connection: Connection, invitation: int) -> Invitation:
    """Raises `AccountError` if there is none."""
    row = connection.row(f"{_SELECT}i.id = $1", invitation)
    if row is None:
        raise AccountError(f"there is no invitation {invitation}")
    return _invitation(row)


def _valid(connection: Connection, code: str) -> Invitation:
    if not _CODE.fullmatch(code):
        raise AccountError(_INVALID)
    row = connection.row(f"{_SELECT}i.digest = $1", _digest(code))
    if row is None or _invitation(row).state(now()) != "open":
        raise AccountError(_INVALID)
    return _invitation(row)


def _invitation(row: tuple[Any, ...]) -> Invitation:
    return msgspec.structs.replace(Invitation(*row), stands=bool(row[-1]))


def _use(connection: Connection, code: str) -> None:
    """Of those who come at once by the last use, the database lets one through."""
    used = connection.run(
        "UPDATE invitations SET uses_left = uses_left - 1 WHERE digest = $1 AND uses_left > 0 "
        "AND revoked_at IS NULL",
        _digest(code),
    )
    if not used:
        raise AccountError(_INVALID)


def _digest(code: str) -> bytes:
    # 192 bits: a plain hash of them cannot be guessed.
    return hashlib.sha256(code.encode()).digest()
