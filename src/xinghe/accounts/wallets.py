"""Wallets: what each holds, whose it is, and what it is granted."""

from collections.abc import Iterable

import msgspec

from xinghe.accounts import rules
from xinghe.accounts.audit import record
from xinghe.accounts.rules import MAX_BALANCE, AccountError
from xinghe.core import tokens
from xinghe.ledger import bound, lots
from xinghe.storage import Connection, among, now

_SELECT = (
    "SELECT w.id, w.available, w.held, w.created_at, m.id, m.appid, g.id, g.name, g.deleted_at, "
    "m.deleted_at FROM wallets w LEFT JOIN members m ON m.id = w.id "
    "LEFT JOIN groups g ON g.wallet_id = w.id WHERE w.id = $1"
)


class Wallet(msgspec.Struct, frozen=True):
    """A wallet of a member or of a group; amounts in micro-Tokens, times in microseconds UTC.

    What the wallet of a deleted group holds stays.
    """

    id: int
    available: int
    held: int
    created_at: int
    member_id: int | None
    appid: str | None
    group_id: int | None
    group: str | None
    group_deleted: int | None
    member_deleted: int | None

    @property
    def subject(self) -> str:
        """What the audit log calls whose it is."""
        return self.appid or f"group-{self.group_id}"

    @property
    def closed(self) -> bool:
        """Whether nobody can spend what it holds."""
        return self.group_deleted is not None or self.member_deleted is not None


class Lot(msgspec.Struct, frozen=True):
    """What is left of a grant; amounts in micro-Tokens, times in microseconds UTC."""

    id: int
    kind: str
    amount: int
    remaining: int
    expires_at: int | None
    created_at: int
    note: str
    models: tuple[str, ...] | None
    """What it may pay for; None is for every model."""


def wallet(connection: Connection, wallet_id: int) -> Wallet:
    """Raises `AccountError` if there is none."""
    row = connection.row(_SELECT, wallet_id)
    if row is None:
        raise AccountError(f"there is no wallet {wallet_id}")
    return Wallet(*row)


def wallets(connection: Connection, ids: Iterable[int]) -> list[Wallet]:
    """In the order that they are asked for."""
    return [wallet(connection, each) for each in ids]


def owners(connection: Connection, ids: Iterable[int]) -> dict[int, str | None]:
    """The name of the member or the group that each wallet is of; None where that has none."""
    of_them, numbers = among(connection, "w.id", "$1", ids)
    rows = connection.rows(
        "SELECT w.id, coalesce(m.name, g.name) FROM wallets w LEFT JOIN members m ON m.id = w.id "  # noqa: S608
        f"LEFT JOIN groups g ON g.wallet_id = w.id WHERE {of_them}",
        numbers,
    )
    return dict(rows)


def spendable(connection: Connection, wallet_id: int, limit: int) -> list[Lot]:
    """The lots that hold something, in the order in which they are spent."""
    found: list[Lot] = []
    for condition in (
        "models IS NOT NULL AND expires_at IS NOT NULL",
        "models IS NOT NULL AND expires_at IS NULL",
        "models IS NULL AND expires_at IS NOT NULL",
        "models IS NULL AND expires_at IS NULL",
    ):
        rows = connection.rows(
            "SELECT id, kind, amount, remaining, expires_at, created_at, note, models "  # noqa: S608
            f"FROM lots WHERE wallet_id = $1 AND remaining > 0 AND {condition} "
            "ORDER BY expires_at, id LIMIT $2",
            wallet_id,
            limit - len(found),
        )
        found += [Lot(*(*row[:-1], bound.read(row[-1]))) for row in rows]
    return found


def grant(
    connection: Connection,
    actor: str,
    wallet_id: int,
    amount: int,
    *,
    expires_at: int | None = None,
    models: Iterable[str] | None = None,
    note: str = "",
) -> Wallet:
    """Add a lot to a wallet, audited under `actor`; it pays for these models alone.

    Raises `AccountError`, also if the balance would pass `MAX_BALANCE`.
    """
    rules.check_amount(amount)
    rules.check_expiry(expires_at, now())
    allowed = rules.check_models(models)
    rules.check_note(note)
    connection.lock([wallet_id])
    after = credit(connection, wallet_id, amount, expires_at=expires_at, models=allowed, note=note)
    given = {
        "wallet": wallet_id,
        "amount": amount,
        "expires_at": expires_at,
        "models": allowed,
        "note": note,
    }
    record(connection, actor, "wallet.grant", after.subject, after=given)
    return after


def credit(
    connection: Connection,
    wallet_id: int,
    amount: int,
    *,
    expires_at: int | None = None,
    models: Iterable[str] | None = None,
    note: str = "",
) -> Wallet:
    """Add a lot to a wallet that is locked, or new.

    Raises `AccountError` if the balance would pass `MAX_BALANCE`.
    """
    with_room(connection, wallet_id, amount)
    lots.credit(
        connection,
        wallet_id,
        amount,
        kind="grant",
        at=now(),
        expires_at=expires_at,
        models=models,
        note=note,
    )
    return wallet(connection, wallet_id)


def with_room(connection: Connection, wallet_id: int, amount: int) -> Wallet:
    """A wallet that may hold so much more. Raises `AccountError`."""
    found = wallet(connection, wallet_id)
    if found.available + found.held + amount > MAX_BALANCE:
        raise AccountError(
            f"amount: {tokens(amount):f} Tokens would take the balance over "
            f"{tokens(MAX_BALANCE):f} Tokens"
        )
    return found
