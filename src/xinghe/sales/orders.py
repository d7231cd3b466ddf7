"""Orders: what was ordered at which price, and whether it is paid.

An order is open until its payment is confirmed, fails, or it is cancelled. Money decides: one that
failed, was cancelled or has expired is paid all the same when its payment comes late. Its Tokens
are credited with that, once. One that costs nothing is paid when it is placed. Amounts are
micro-Tokens, prices minor units, times microseconds UTC; every function is part of the caller's
transaction.
"""

import re
import secrets
from typing import Any, Literal

import msgspec

from xinghe.accounts import AccountError, rules, wallets
from xinghe.accounts.audit import alone, record
from xinghe.accounts.rules import MAX_BALANCE
from xinghe.core import MICRO
from xinghe.ledger import bound, lots
from xinghe.sales import packages
from xinghe.sales.code_text import ALPHABET
from xinghe.sales.validity import until
from xinghe.storage import Connection, now

State = Literal["open", "failed", "cancelled", "paid"]
Shown = Literal["open", "expired", "failed", "cancelled", "paid"]
"""A state as it is told: of the open ones, those that wait for no payment are expired."""
MOST_OPEN = 20
"""Orders of one wallet that wait for their payment."""
FULL = 9 * MAX_BALANCE
"""No wallet holds more: money that comes late is credited beyond `MAX_BALANCE`, as far as the
column of a balance reaches.
"""
_NUMBER = re.compile(f"[{ALPHABET}]{{16}}")
_COLUMNS = (
    "id, number, package_id, wallet_id, member_id, name, amount, price, currency, valid_days, "
    "models, provider, state, created_at, expires_at, changed_at, reference, lot_id"
)


class PaymentTaken(AccountError):
    """The payment has paid another order already."""


class WalletFull(AccountError):
    """What was paid for cannot be credited: the balance would be too large to be told."""


class Order(msgspec.Struct, frozen=True):
    """A package as it was ordered, for a wallet; `lot_id` is what it was credited by."""

    id: int
    number: str
    package_id: int
    wallet_id: int
    member_id: int | None
    name: str
    amount: int
    price: int
    currency: str
    valid_days: int | None
    models: tuple[str, ...] | None
    provider: str
    state: State
    created_at: int
    expires_at: int
    changed_at: int
    reference: str | None
    lot_id: int | None

    @property
    def subject(self) -> str:
        """What the audit log calls it."""
        return f"order-{self.number}"

    def expired(self, at: int) -> bool:
        """Whether it waits for its payment no more."""
        return self.state == "open" and self.expires_at <= at

    def shown(self, at: int) -> Shown:
        return "expired" if self.expired(at) else self.state


def place(
    connection: Connection,
    actor: str,
    package_id: int,
    wallet_id: int,
    *,
    member_id: int | None,
    provider: str,
    days: int,
) -> Order:
    """Order a package for a wallet; what costs nothing is credited at once, once to each wallet.

    Raises `AccountError`.
    """
    connection.lock([wallet_id])
    alone(connection)  # the package is neither changed nor withdrawn meanwhile
    package = packages.package(connection, package_id)
    if package.withdrawn_at is not None:
        raise AccountError(f"package: {package.name!r} is withdrawn")
    if not packages.buyable(connection, package, wallet_id):
        raise AccountError(f"package: {package.name!r} is not for the wallet {wallet_id}")
    free = package.price == 0
    if free and _had(connection, package.id, wallet_id):
        raise AccountError(
            f"package: the wallet {wallet_id} has had {package.name!r}, which costs nothing: "
            "allowed: once"
        )
    at = now()
    waiting, amount = connection.rows(
        "SELECT count(*), CAST(coalesce(sum(amount), 0) AS BIGINT) FROM orders "
        "WHERE wallet_id = $1 AND state = 'open' AND expires_at > $2",
        wallet_id,
        at,
    )[0]
    if waiting >= MOST_OPEN:
        raise AccountError(
            f"package: {waiting} orders of this wallet wait for their payment, allowed: "
            f"{MOST_OPEN}; pay or cancel one"
        )
    if wallets.with_room(connection, wallet_id, amount + package.amount).closed:
        raise AccountError(f"nobody can spend what the wallet {wallet_id} holds any more")
    number = "".join(secrets.choice(ALPHABET) for _ in range(16))
    made = connection.value(
        "INSERT INTO orders (number, package_id, wallet_id, member_id, name, amount, price, "
        "currency, valid_days, models, provider, state, created_at, expires_at, changed_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'open', $12, $13, $12) "
        "RETURNING id",
        number,
        package.id,
        wallet_id,
        member_id,
        package.name,
        package.amount,
        package.price,
        package.currency,
        package.valid_days,
        bound.written(package.models),
        provider,
        at,
        until(at, days),
    )
    placed = order(connection, made)
    record(
        connection,
        actor,
        "order.place",
        placed.subject,
        after={"wallet": wallet_id, **_price(placed)},
    )
    return pay(connection, actor, placed.id, f"free {number}") if free else placed


def pay(connection: Connection, actor: str, order_id: int, reference: str) -> Order:
    """Credit an order that was paid, once: what is paid already stays as it is.

    Whether the wallet has room, and whether somebody can spend what it holds, is not looked at:
    money decides, as far as a balance can be told (`FULL`). Raises `PaymentTaken`, `WalletFull`,
    and `AccountError` where another payment has paid it.
    """
    found = locked(connection, order_id)
    alone(connection)  # no other order is paid by the same payment meanwhile
    rules.check_note(reference, "reference", least=1)
    if found.state == "paid":
        if found.reference != reference:
            raise AccountError(f"the order {found.number} is paid already, by another payment")
        return found
    other = connection.value(
        "SELECT number FROM orders WHERE provider = $1 AND reference = $2",
        found.provider,
        reference,
    )
    if other is not None:
        raise PaymentTaken(f"reference: {reference!r} has paid the order {other} already")
    wallet = wallets.wallet(connection, found.wallet_id)
    if wallet.available + wallet.held + found.amount > FULL:
        raise WalletFull(
            f"the order {found.number} cannot be credited: the wallet {found.wallet_id} would hold "
            f"more than {FULL // MICRO} Tokens"
        )
    at = now()
    lot = lots.credit(
        connection,
        found.wallet_id,
        found.amount,
        kind="purchase",
        at=at,
        expires_at=until(at, found.valid_days),
        models=found.models,
        note=f"order {found.number}",
    )
    connection.run(
        "UPDATE orders SET state = 'paid', changed_at = $1, reference = $2, lot_id = $3 "
        "WHERE id = $4",
        at,
        reference,
        lot,
        order_id,
    )
    paid = order(connection, order_id)
    after = {"wallet": found.wallet_id, "reference": reference, **_price(found)}
    record(connection, actor, "order.pay", paid.subject, before={"state": found.state}, after=after)
    return paid


def close(
    connection: Connection, actor: str, order_id: int, state: Literal["failed", "cancelled"]
) -> Order:
    """Have an order wait for its payment no more; one that is paid stays so.

    Raises `AccountError` where somebody would cancel a paid one.
    """
    found = locked(connection, order_id)
    if found.state == "paid" and state == "cancelled":
        raise AccountError(f"the order {found.number} is paid: it can be refunded")
    if found.state != "open":
        return found
    connection.run(
        "UPDATE orders SET state = $1, changed_at = $2 WHERE id = $3", state, now(), order_id
    )
    record(connection, actor, f"order.{state}", found.subject, before={"state": found.state})
    return order(connection, order_id)


def order(connection: Connection, order_id: int) -> Order:
    """Raises `AccountError` if there is none."""
    row = connection.row(f"SELECT {_COLUMNS} FROM orders WHERE id = $1", order_id)  # noqa: S608
    if row is None:
        raise AccountError(f"there is no order {order_id}")
    return _order(row)


def numbered(connection: Connection, number: str) -> Order:
    """The order of a number. Raises `AccountError` if there is none."""
    row = None
    if _NUMBER.fullmatch(number):
        row = connection.row(f"SELECT {_COLUMNS} FROM orders WHERE number = $1", number)  # noqa: S608
    if row is None:
        raise AccountError(f"there is no order {number[:32]!r}")
    return _order(row)


def locked(connection: Connection, order_id: int) -> Order:
    """The order, with its wallet locked: nobody else changes either before the transaction ends."""
    connection.lock([order(connection, order_id).wallet_id])
    return order(connection, order_id)


def newest(
    connection: Connection,
    *,
    wallet_id: int | None = None,
    shown: Shown | None = None,
    behind: int = 0,
    limit: int,
) -> list[Order]:
    """The newest first: of a wallet, in a state, behind an id (0: from the newest on)."""
    asked: list[tuple[str, object]] = []
    if behind:
        asked.append(("id < {}", behind))
    if wallet_id is not None:
        asked.append(("wallet_id = {}", wallet_id))
    if shown is not None:
        asked.append(("state = {}", "open" if shown == "expired" else shown))
    if shown in {"open", "expired"}:
        asked.append(("expires_at > {}" if shown == "open" else "expires_at <= {}", now()))
    conditions = [text.format(f"${n}") for n, (text, _) in enumerate(asked, 1)]
    rows = connection.rows(
        f"SELECT {_COLUMNS} FROM orders WHERE {' AND '.join(conditions) or 'TRUE'} "  # noqa: S608
        f"ORDER BY id DESC LIMIT {limit:d}",
        *(value for _, value in asked),
    )
    return [_order(row) for row in rows]


def _had(connection: Connection, package_id: int, wallet_id: int) -> bool:
    """Whether a wallet was credited a package for nothing."""
    query = (
        "SELECT 1 FROM orders WHERE wallet_id = $1 AND package_id = $2 AND price = 0 "
        "AND state = 'paid'"
    )
    return connection.row(query, wallet_id, package_id) is not None


def _order(row: tuple[Any, ...]) -> Order:
    return Order(*(*row[:10], bound.read(row[10]), *row[11:]))


def _price(of: Order) -> dict[str, object]:
    return {"amount": of.amount, "price": of.price, "currency": of.currency}
