"""Packages: Tokens for a price, for some models or all, for some groups or everybody.

Amounts are micro-Tokens, prices whole minor units of the currency, times microseconds UTC. Every
function is part of the caller's transaction.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from xinghe.accounts import AccountError, rules
from xinghe.accounts.audit import alone, record
from xinghe.ledger import bound
from xinghe.sales import money
from xinghe.sales.validity import check_days
from xinghe.storage import Connection, among, now

MOST_GROUPS = 100
_COLUMNS = (
    "id, name, description, amount, price, currency, valid_days, models, created_at, withdrawn_at"
)
_OFFERED = (
    "(NOT EXISTS (SELECT 1 FROM package_groups n WHERE n.package_id = p.id) OR EXISTS ("
    "SELECT 1 FROM package_groups n JOIN groups g ON g.id = n.group_id "
    "JOIN memberships s ON s.member_id = {} JOIN groups o ON o.id = s.group_id "
    "WHERE n.package_id = p.id AND g.deleted_at IS NULL AND o.deleted_at IS NULL "
    "AND (g.id IN (o.id, o.parent_id) OR (g.parent_id = o.id AND s.role != 'member'))))"
)
"""Of packages that a member may buy: for himself, or for a group that he manages."""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What a package is; `groups` are the ids of those whose members may buy it, none: all."""

    name: str
    description: str = ""
    amount: int
    price: int
    currency: str
    valid_days: int | None = None
    models: tuple[str, ...] | None = None
    groups: tuple[int, ...] = ()


class Package(Offer, frozen=True, kw_only=True):
    """An offer as it is kept; one that is withdrawn cannot be ordered any more."""

    id: int
    created_at: int
    withdrawn_at: int | None


def create(connection: Connection, actor: str, offer: Offer) -> Package:
    """Raises `AccountError`."""
    alone(connection)  # nobody else takes the name meanwhile
    offer = _checked(connection, offer)
    _refuse_taken(connection, offer.name, None)
    made = connection.value(
        "INSERT INTO packages (name, description, amount, price, currency, valid_days, models, "
        "created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
        *_values(offer),
        now(),
    )
    _set_groups(connection, made, offer.groups)
    record(connection, actor, "package.create", subject(made), after=offer)
    return package(connection, made)


def change(
    connection: Connection, actor: str, package_id: int, changed: Callable[[Package], Offer]
) -> Package:
    """Make it what `changed` says of what it is, which nobody else changes meanwhile.

    What was ordered before stays as it was ordered. Raises `AccountError`.
    """
    alone(connection)
    before = package(connection, package_id)
    if before.withdrawn_at is not None:
        raise AccountError(f"the package {before.name!r} is withdrawn")
    offer = _checked(connection, changed(before), before.groups)
    _refuse_taken(connection, offer.name, package_id)
    connection.run(
        "UPDATE packages SET name = $1, description = $2, amount = $3, price = $4, currency = $5, "
        "valid_days = $6, models = $7 WHERE id = $8",
        *_values(offer),
        package_id,
    )
    _set_groups(connection, package_id, offer.groups)
    record(
        connection,
        actor,
        "package.change",
        subject(package_id),
        before=as_offer(before),
        after=offer,
    )
    return package(connection, package_id)


def withdraw(connection: Connection, actor: str, package_id: int) -> Package:
    """Let nobody order it any more; orders that are open may still be paid."""
    alone(connection)
    before = package(connection, package_id)
    if before.withdrawn_at is None:
        connection.run("UPDATE packages SET withdrawn_at = $1 WHERE id = $2", now(), package_id)
        record(connection, actor, "package.withdraw", subject(package_id))
    return package(connection, package_id)


def subject(package_id: int) -> str:
    """What the audit log calls it."""
    return f"package-{package_id}"


def package(connection: Connection, package_id: int) -> Package:
    """Raises `AccountError` if there is none."""
    row = connection.row(f"SELECT {_COLUMNS} FROM packages WHERE id = $1", package_id)  # noqa: S608
    if row is None:
        raise AccountError(f"there is no package {package_id}")
    return _packages(connection, [row])[0]


def named(connection: Connection, name: str) -> Package:
    """The package of an id, or of a name that can be bought. Raises `AccountError`."""
    if name.isdecimal():
        return package(connection, int(name[:18]))
    found = connection.value(
        "SELECT id FROM packages WHERE name = $1 AND withdrawn_at IS NULL", name
    )
    if found is None:
        raise AccountError(f"there is no package {name!r}")
    return package(connection, found)


def packages(
    connection: Connection,
    *,
    withdrawn: bool = False,
    buyer: int | None = None,
    behind: int = 0,
    limit: int,
) -> list[Package]:
    """In the order of their ids, behind one; those that a member may buy, or all."""
    conditions = ["id > $1"] + ([] if withdrawn else ["withdrawn_at IS NULL"])
    values = [behind]
    if buyer is not None:
        conditions.append(_OFFERED.format("$2"))
        values.append(buyer)
    rows = connection.rows(
        f"SELECT {_COLUMNS} FROM packages p WHERE {' AND '.join(conditions)} "  # noqa: S608
        f"ORDER BY id LIMIT {limit:d}",
        *values,
    )
    return _packages(connection, rows)


def offered(connection: Connection, package_id: int, member_id: int) -> bool:
    """Whether it is for a member, or for a group that he manages; it may be withdrawn."""
    query = f"SELECT 1 FROM packages p WHERE id = $1 AND {_OFFERED.format('$2')}"  # noqa: S608
    return connection.row(query, package_id, member_id) is not None


def buyable(connection: Connection, offer: Offer, wallet_id: int) -> bool:
    """Whether it is for a wallet: of somebody in its groups, or of a group, or for everybody."""
    if not offer.groups:
        return True
    of = connection.rows(
        "SELECT g.id, g.parent_id FROM groups g WHERE g.deleted_at IS NULL AND (g.wallet_id = $1 "
        "OR g.id IN (SELECT group_id FROM memberships WHERE member_id = $1))",
        wallet_id,
    )
    return not set(offer.groups).isdisjoint(group for pair in of for group in pair)


def as_offer(of: Package) -> Offer:
    return Offer(**{name: getattr(of, name) for name in Offer.__struct_fields__})


def _packages(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> list[Package]:
    groups: dict[int, list[int]] = {row[0]: [] for row in rows}
    of_them, numbers = among(connection, "package_id", "$1", groups)
    query = f"SELECT package_id, group_id FROM package_groups WHERE {of_them} ORDER BY group_id"  # noqa: S608
    for package_id, group in connection.rows(query, numbers):
        groups[package_id].append(group)
    return [_package(row, groups[row[0]]) for row in rows]


def _package(row: tuple[Any, ...], groups: Iterable[int]) -> Package:
    return Package(
        id=row[0],
        name=row[1],
        description=row[2],
        amount=row[3],
        price=row[4],
        currency=row[5],
        valid_days=row[6],
        models=bound.read(row[7]),
        groups=tuple(groups),
        created_at=row[8],
        withdrawn_at=row[9],
    )


def _values(offer: Offer) -> Sequence[object]:
    return (
        offer.name,
        offer.description,
        offer.amount,
        offer.price,
        offer.currency,
        offer.valid_days,
        bound.written(offer.models),
    )


def _checked(connection: Connection, offer: Offer, kept: Sequence[int] = ()) -> Offer:
    """Groups that are `kept` may be deleted since."""
    rules.check_name(offer.name)
    if offer.name.isdecimal():
        raise AccountError(f"name: {offer.name!r} is not allowed: a number is an id")
    rules.check_note(offer.description, "description")
    rules.check_amount(offer.amount, field="tokens")
    models = rules.check_models(offer.models)
    money.minor(money.shown(offer.price, money.check_currency(offer.currency)), offer.currency)
    check_days(offer.valid_days)
    groups = sorted(set(offer.groups))
    if len(groups) > MOST_GROUPS:
        raise AccountError(f"groups: {len(groups)} are not allowed: at most {MOST_GROUPS}")
    for group in set(groups) - set(kept):
        found = "SELECT 1 FROM groups WHERE id = $1 AND deleted_at IS NULL"
        if connection.value(found, group) is None:
            raise AccountError(f"groups: there is no group {group}")
    return msgspec.structs.replace(
        offer, models=None if models is None else tuple(models), groups=tuple(groups)
    )


def _refuse_taken(connection: Connection, name: str, own: int | None) -> None:
    taken = connection.value(
        "SELECT id FROM packages WHERE name = $1 AND withdrawn_at IS NULL", name
    )
    if taken not in (None, own):
        raise AccountError(f"name: there is a package {name!r} already")


def _set_groups(connection: Connection, package_id: int, groups: Iterable[int]) -> None:
    connection.run("DELETE FROM package_groups WHERE package_id = $1", package_id)
    connection.run_many(
        "INSERT INTO package_groups (package_id, group_id) VALUES ($1, $2)",
        [(package_id, group) for group in groups],
    )
