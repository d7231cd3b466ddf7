"""Who is calling, by an access token: what pays for him, what limits him, what he may do.

What a token, its member, his groups and his budgets say is kept in memory for as long as nothing
that is audited has changed. Every request asks for the revision, so none is let in by what was
true before.
"""

import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import msgspec

from xinghe.accounts.asking import MemberDisabled, managers
from xinghe.accounts.group_tables import sources
from xinghe.ledger import Budget, Window
from xinghe.storage import Connection, Database, now

KEPT = 10_000
"""Tokens of which it is known in memory whose they are, what pays for them and what limits them."""

TOKEN = re.compile(r"xh-([a-z0-9]{10})-[A-Za-z0-9]{43}")
_AUTHENTICATE = (
    "SELECT t.digest, t.revoked_at, t.expires_at, m.disabled_at, m.id, m.appid, m.name, "
    "m.operator, t.id, t.name, t.scopes, t.models, (SELECT number FROM revision) "
    "FROM tokens t JOIN members m ON m.id = t.member_id WHERE t.public_id = $1"
)
_REVISION = "SELECT number FROM revision"
_LAPSED = (
    "SELECT t.id FROM tokens t JOIN members m ON m.id = t.member_id WHERE t.id = $1 "
    "AND (t.revoked_at IS NOT NULL OR t.expires_at <= $2 OR m.disabled_at IS NOT NULL)"
)
_GROUPS = (
    "SELECT g.id, g.name, g.models, m.role, p.id, p.name, p.models FROM memberships m "
    "JOIN groups g ON g.id = m.group_id LEFT JOIN groups p ON p.id = g.parent_id "
    "WHERE m.member_id = $1 AND g.deleted_at IS NULL ORDER BY g.id"
)
_BUDGETS = "SELECT id, unit, per, rolling, zone, amount, model FROM budgets WHERE ended_at IS NULL"

_AMOUNT = "SELECT amount FROM budgets WHERE id = $1 AND ended_at IS NULL"

_NAMES = msgspec.json.Decoder(frozenset[str])

K = TypeVar("K")
V = TypeVar("V")


class Limit(msgspec.Struct, frozen=True):
    """A budget that is counted in memory: at most `amount` requests (`rpm`) or tokens (`tpm`) a
    minute, or requests at once (`concurrent`). `whose` says whose it is; `model` None: of all.
    """

    id: int
    unit: Literal["rpm", "tpm", "concurrent"]
    amount: int
    whose: str
    model: str | None = None


class Standing(msgspec.Struct, frozen=True):
    """What pays for a member, in order; what limits him; his role in each group.

    `models` are those that all his groups allow; None: every model.
    """

    wallets: tuple[int, ...] = ()
    budgets: tuple[Budget, ...] = ()
    limits: tuple[Limit, ...] = ()
    roles: dict[int, str] = {}
    models: frozenset[str] | None = None


class Bearer(NamedTuple):
    """What somebody came with, as it is asked for again while he is answered: an access token, or
    the session (0: none) of whoever is at the playground, whose token that is.
    """

    token_id: int
    session_id: int = 0


class Principal(msgspec.Struct, frozen=True):
    """Who is calling, and what the token allows; `models` None allows every model."""

    member_id: int
    appid: str
    member_name: str
    token_id: int
    token_name: str
    scopes: frozenset[str]
    models: frozenset[str] | None
    operator: bool = False
    standing: Standing = Standing()
    session_id: int = 0

    def may_use(self, model: str) -> bool:
        return self.models is None or model in self.models

    @property
    def bearer(self) -> Bearer:
        return Bearer(self.token_id, self.session_id)

    @property
    def wallets(self) -> tuple[int, ...]:
        return self.standing.wallets

    @property
    def roles(self) -> Mapping[int, str]:
        return self.standing.roles

    @property
    def budgets(self) -> tuple[Budget, ...]:
        return self.standing.budgets


class Remembered(Generic[K, V]):
    """What was read at a revision, of the `KEPT` that were asked for last."""

    def __init__(self) -> None:
        self._found: OrderedDict[K, tuple[int, V]] = OrderedDict()
        """What was used last comes last."""

    def at(self, revision: int, key: K) -> V | None:
        """What was read at this very revision."""
        found = self._found.get(key)
        if found is None or found[0] != revision:
            return None
        self._found.move_to_end(key)
        return found[1]

    def put(self, revision: int, key: K, value: V) -> None:
        """What is read may be newer than the revision: then it is read once more than needed."""
        self._found[key] = revision, value
        self._found.move_to_end(key)
        if len(self._found) > KEPT:
            self._found.popitem(last=False)


class Principals:
    """Every method raises `StorageError` if the database cannot be used."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._standings = Remembered[int, Standing]()
        """By token id."""
        self._owners = Remembered[bytes, tuple[Principal, int | None]]()
        """By the digest of a token that holds: its owner, and when it expires."""

    async def authenticate(self, secret: str) -> Principal | None:
        """Who holds this token; None if it is unknown, malformed, revoked or expired.

        Raises `MemberDisabled` to who knows the secret of a disabled member's.
        """
        match = TOKEN.fullmatch(secret)
        if match is None:
            return None
        digest = hashlib.sha256(secret.encode()).digest()
        revision = await self.revision()
        known = self._owners.at(revision, digest)
        if known is None:
            return await self._looked_up(match[1], digest)
        owner, expires_at = known
        return owner if expires_at is None or expires_at > now() else None

    async def revision(self) -> int:
        """Changes with all that is audited: while it stays, so does all that time alone ends."""
        revision: int = await self._database.glance(lambda c: c.value(_REVISION))
        return revision

    async def _looked_up(self, public_id: str, digest: bytes) -> Principal | None:
        row = await self._database.read(lambda c: c.row(_AUTHENTICATE, public_id))
        if row is None:
            return None
        stored, revoked_at, expires_at, disabled_at, *member, token_id = row[:9]
        # The comparison comes first and takes the same time for every wrong secret.
        if not hmac.compare_digest(stored, digest):
            return None
        lapsed = expires_at is not None and expires_at <= now()
        if lapsed or revoked_at is not None:
            return None
        member_id, appid, name, operator = member
        if disabled_at is not None:
            raise MemberDisabled(await self.managers(member_id))
        token_name, scopes, models, revision = row[9:]
        standing = await self._standing(member_id, token_id, revision)
        allowed = None if models is None else _NAMES.decode(models)
        owner = Principal(
            member_id=member_id,
            appid=appid,
            member_name=name,
            token_id=token_id,
            token_name=token_name,
            scopes=_NAMES.decode(scopes),
            models=both(allowed, standing.models),
            operator=bool(operator),
            standing=standing,
        )
        self._owners.put(revision, digest, (owner, expires_at))
        return owner

    async def at_playground(self, secret: str) -> Principal | None:
        """Who is at the console's playground with this session: no access token is one."""
        return None

    async def lapsed(self, bearers: Iterable[Bearer]) -> list[Bearer]:
        """Which of them have a token that is revoked or expired, or of a disabled member."""
        asked, at = list(bearers), now()
        return await self._database.read(
            lambda c: [each for each in asked if c.value(_LAPSED, each.token_id, at) is not None]
        )

    async def managers(self, member_id: int) -> tuple[str, ...]:
        """Whom a member may ask who is kept from something; none: the operator."""
        return await self._database.read(lambda c: managers(c, member_id))

    async def amounts(self, budgets: Iterable[int]) -> dict[int, int]:
        """Of those budgets that have not ended."""
        asked = list(budgets)
        found = await self._database.read(
            lambda c: [(each, c.value(_AMOUNT, each)) for each in asked]
        )
        return {each: amount for each, amount in found if amount is not None}

    async def _standing(self, member_id: int, token_id: int, revision: int) -> Standing:
        known = self._standings.at(revision, token_id)
        if known is None:
            known = await self._database.read(lambda c: standing(c, member_id, token_id))
            self._standings.put(revision, token_id, known)
        return known


def standing(connection: Connection, member_id: int, token_id: int) -> Standing:
    """What holds for a member who calls with a token."""
    # Those below an organisation come first, all by their ids: who has places in several takes
    # them in the order that everybody takes them in.
    groups: dict[tuple[bool, int], str] = {}
    roles: dict[int, str] = {}
    allowed: frozenset[str] | None = None
    for group, name, models, role, parent, parent_name, parent_models in connection.rows(
        _GROUPS, member_id
    ):
        roles[group], groups[parent is None, group] = role, name
        if parent is not None:
            groups[True, parent] = parent_name
        for each in (models, parent_models):
            allowed = both(allowed, None if each is None else _NAMES.decode(each))
    found = [
        *_read(connection, "token_id = $1", "the access token", token_id),
        *_read(connection, "member_id = $1", "the member", member_id),
    ]
    for (_, group), name in sorted(groups.items()):
        found += _read(connection, "group_id = $1", f"the group {name}", group)
    nobody = "token_id IS NULL AND member_id IS NULL AND group_id IS NULL"
    found += _read(connection, nobody, "the service")
    return Standing(
        wallets=tuple(each.wallet_id for each in sources(connection, member_id)),
        budgets=tuple(each for each in found if isinstance(each, Budget)),
        limits=tuple(each for each in found if isinstance(each, Limit)),
        roles=roles,
        models=allowed,
    )


def _read(connection: Connection, where: str, whose: str, *subject: int) -> list[Budget | Limit]:
    rows = connection.rows(f"{_BUDGETS} AND {where} ORDER BY model IS NULL, id", *subject)
    return [_budget(whose, *row) for row in rows]


def _budget(whose: str, budget: int, unit: Any, per: Any, *rest: Any) -> Budget | Limit:
    rolling, zone, amount, model = rest
    if per is None:
        return Limit(budget, unit, amount, whose, model)
    return Budget(budget, unit, Window(per, bool(rolling), zone), amount, whose, model)


def both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    """The models that both allow; None: every one."""
    if one is None or other is None:
        return other if one is None else one
    return one & other
