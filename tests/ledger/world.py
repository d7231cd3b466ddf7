"""What the state machine of the ledger runs on: a database, the books told twice, transactions.

A batch of operations ends as batches do: committed; lost with the process that was at it; done
again without an operation that failed; or committed without anybody being told whether it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field

from tests.ledger.stores import Store
from xinghe.ledger import Budget, check
from xinghe.ledger.budgets import Places
from xinghe.ledger.holds import Counts, Hold
from xinghe.ledger.windows import HOUR
from xinghe.sales.orders import Order
from xinghe.storage.connection import Session

MEMBERS = (1, 2)
SHARED = 3
WALLETS = (*MEMBERS, SHARED)
"""One of each member, and one that both may pay from."""


@dataclass(frozen=True)
class Code:
    """A redeem code, of a batch of its own; it may be redeemed until it expires."""

    text: str
    amount: int
    expires_at: int
    valid_days: int | None
    models: tuple[str, ...] | None


@dataclass
class Told:
    """The books as they must be, told without the database."""

    open: dict[str, Hold] = field(default_factory=dict)
    noted: dict[str, Counts] = field(default_factory=dict)
    """The last checkpoint of each hold that has one."""
    paid: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """By captured hold: the token, when, and how much."""
    released: set[str] = field(default_factory=set)
    taken: dict[str, Hold] = field(default_factory=dict)
    """Those of the released that a reaper has: their owner may come back with a charge."""
    wallets: dict[str, int] = field(default_factory=dict)
    """From which wallet each hold is paid."""
    budgets: dict[int, Budget] = field(default_factory=dict)
    """By member; a budget of his token."""
    places: dict[str, Places] = field(default_factory=dict)
    """In which windows each hold counts."""
    base: dict[tuple[int, int], int] = field(default_factory=dict)
    """What was spent in a window before its budget was made."""
    thresholds: dict[int, int] = field(default_factory=dict)
    """Below which balance a wallet's owner is told."""
    balances: dict[int, int] = field(default_factory=lambda: dict.fromkeys(WALLETS, 0))
    notices: int = 0
    orders: dict[str, int] = field(default_factory=dict)
    """Those that are paid, by what the machine calls each."""
    codes: dict[str, Code] = field(default_factory=dict)
    """Redeem codes, by what the machine calls each."""
    redeemed: set[str] = field(default_factory=set)

    def begin_budget(self, member: int, budget: Budget, at: int) -> None:
        """What was spent in its running window counts, by whole hours, and what is held."""
        part = budget.window.part(at)
        hours = [
            cost
            for token, paid, cost in self.paid.values()
            if token == member and paid - paid % HOUR > part - HOUR
        ]
        self.base[budget.id, part] = sum(hours)
        for name, hold in self.open.items():
            if hold.token_id == member and hold.created_at >= part:
                place = budget.id, budget.window.part(hold.created_at)
                self.places[name] = (*self.places[name], place)
        self.budgets[member] = budget

    def used(self, budget: Budget, at: int) -> int:
        """What counts in the window of a moment."""
        place = budget.id, budget.window.part(at)
        mine = {name for name, places in self.places.items() if place in places}
        spent = sum(self.paid[name][2] for name in mine & self.paid.keys())
        held = sum(self.open[name].amount for name in mine & self.open.keys())
        return self.base.get(place, 0) + spent + held

    def known(self) -> set[str]:
        """Every hold that there ever was."""
        return {*self.open, *self.paid, *self.released}

    def on(self, wallet: int) -> list[Hold]:
        """The open holds that a wallet pays for."""
        return [hold for name, hold in self.open.items() if self.wallets[name] == wallet]

    def held(self, wallet: int) -> int:
        return sum(hold.amount for hold in self.on(wallet))


class World:
    """Two members with a token each, three wallets, and a clock that nothing else moves."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = 1_764_540_000_000_000  # near the end of a month
        self.told = Told()
        self.batch: list[tuple[Callable[[], None], bool]] | None = None
        """The operations of the open transaction, and whether each is `durable`."""
        self._before = self.told
        self.session.begin()
        for wallet in WALLETS:
            self.session.run("INSERT INTO wallets (id, created_at) VALUES ($1, 0)", wallet)
        for member in MEMBERS:
            self.session.run(
                "INSERT INTO members (id, name, appid, created_at) VALUES ($1, $2, $2, 0)",
                member,
                f"member {member}",
            )
            self.session.run(
                "INSERT INTO tokens (id, member_id, public_id, digest, name, scopes, created_at) "
                "VALUES ($1, $1, $2, $3, 't', '[]', 0)",
                member,
                str(member),
                bytes(32),
            )
        self.session.commit()

    @property
    def session(self) -> Session:
        return self.store.session

    def does(self, operation: Callable[[], None], *, durable: bool = False) -> None:
        """An operation, in the open transaction or in one of its own.

        Who asked for a `durable` one is told nothing before it is committed.
        """
        if self.batch is None:
            self.session.begin()
        operation()
        self.agrees()
        if self.batch is None:
            self.session.commit()
        else:
            self.batch.append((operation, durable))

    def begins(self) -> None:
        self.session.begin()
        self.batch, self._before = [], deepcopy(self.told)

    def commits(self) -> None:
        self.session.commit()
        self.batch = None
        self.agrees()

    def loses(self) -> None:
        """The process dies before it commits."""
        self.store.dies()
        self.batch, self.told = None, self._before
        self.agrees()

    def leaves_out(self) -> None:
        """One of the batch failed: all is undone, and done again without it."""
        assert self.batch is not None
        again = self.batch
        self.session.rollback()
        self.batch, self.told = None, self._before
        self.begins()
        for operation, durable in again:
            self.does(operation, durable=durable)

    def hears_nothing(self, *, committed: bool) -> set[str]:
        """The connection is lost in the commit: what is durable is done again in any case.

        Returns the holds of which nobody was told that they are open.
        """
        assert self.batch is not None
        again = [operation for operation, durable in self.batch if durable]
        reserved = self.told.known() - self._before.known()
        if committed:
            self.session.commit()
        else:
            self.told = self._before
        self.store.dies()
        self.batch = None
        self.agrees()
        for operation in again:
            self.does(operation)
        return reserved

    def balance(self, wallet: int) -> tuple[int, int]:
        query = "SELECT available, held FROM wallets WHERE id = $1"
        available, held = self.session.rows(query, wallet)[0]
        return available, held

    def lots(self, wallet: int, *, expired: bool) -> int:
        is_expired = "expires_at IS NOT NULL AND expires_at <= $2"
        query = (
            "SELECT CAST(coalesce(sum(remaining), 0) AS BIGINT) FROM lots "
            f"WHERE wallet_id = $1 AND {'' if expired else 'NOT '}({is_expired})"
        )
        found: int = self.session.value(query, wallet, self.clock)
        return found

    def left(self, wallet: int, model: str, at: int) -> int:
        """What may be set aside for a model now; what expired by `at` and is bound is no part."""
        query = "SELECT available - bound FROM wallets WHERE id = $1"
        for_all: int = self.session.value(query, wallet)
        return for_all + self.bound(wallet, model, at)

    def bound(self, wallet: int, model: str, at: int, *, of: str = "") -> int:
        """What lots that are bound to a model have free, with the pins of one hold."""
        query = (
            "SELECT models, remaining - pinned + coalesce((SELECT p.amount FROM pins p "
            "WHERE p.lot_id = l.id AND p.hold_id = $1), 0) FROM lots l WHERE wallet_id = $2 "
            "AND models IS NOT NULL AND (expires_at IS NULL OR expires_at > $3)"
        )
        return sum(
            free
            for models, free in self.session.rows(query, of, wallet, at)
            if model in json.loads(models)
        )

    def due(self, wallet: int) -> int:
        """What a sweep takes of the lots for all models at this moment."""
        query = (
            "SELECT CAST(coalesce(sum(remaining), 0) AS BIGINT) FROM lots "
            "WHERE wallet_id = $1 AND models IS NULL AND expires_at <= $2"
        )
        expired: int = self.session.value(query, wallet, self.clock)
        return expired - self.spared(wallet)

    def spared(self, wallet: int) -> int:
        """What the open holds were promised of lots for all models that have expired since."""
        query = (
            "SELECT expires_at, CAST(sum(remaining) AS BIGINT) FROM lots WHERE wallet_id = $1 AND "
            "models IS NULL AND expires_at <= $2 GROUP BY expires_at ORDER BY expires_at"
        )
        mine = self.told.on(wallet)
        most = 0
        for moment, remaining in self.session.rows(query, wallet, self.clock):
            promised = sum(self.for_all(hold) for hold in mine if hold.created_at < moment)
            most = min(most + remaining, promised)
        return most

    def refundable(self, order: Order) -> int:
        """What is left of the lot of an order, but for what open holds were promised."""
        query = "SELECT remaining - pinned, models IS NULL, expires_at FROM lots WHERE id = $1"
        left, for_all, expires_at = self.session.rows(query, order.lot_id)[0]
        if expires_at is not None and expires_at <= self.clock:
            return 0
        wallet = order.wallet_id
        if for_all:
            free = "SELECT available - bound FROM wallets WHERE id = $1"
            left = min(left, self.session.value(free, wallet) - self.due(wallet))
        return int(left)

    def pinned(self, wallet: int) -> int:
        """What no sweep takes of the lots that have expired."""
        query = (
            "SELECT CAST(coalesce(sum(pinned), 0) AS BIGINT) FROM lots "
            "WHERE wallet_id = $1 AND expires_at <= $2"
        )
        pins: int = self.session.value(query, wallet, self.clock)
        return self.spared(wallet) + pins

    def for_all(self, hold: Hold) -> int:
        """What of a hold is not pinned in lots that are bound to models."""
        query = "SELECT amount - pinned FROM holds WHERE id = $1"
        found: int = self.session.value(query, hold.id)
        return found

    def covered(self, wallet: int) -> bool:
        """Whether every open hold finds its amount in lots that were valid when it was made.

        Hall's condition: as many Tokens as the holds made at a moment or later need expire after
        that moment or never. Pins name their lots.
        """
        mine = self.told.on(wallet)
        query = (
            "SELECT CAST(coalesce(sum(remaining), 0) AS BIGINT) FROM lots WHERE wallet_id = $1 "
            "AND models IS NULL AND (expires_at IS NULL OR expires_at > $2)"
        )
        pins = self.session.rows(
            "SELECT p.hold_id, l.models, coalesce(l.expires_at, $1) FROM pins p "
            "JOIN lots l ON l.id = p.lot_id WHERE l.wallet_id = $2",
            2**62,
            wallet,
        )
        holds = self.told.open
        return all(
            holds[name].model in json.loads(models) and until > holds[name].created_at
            for name, models, until in pins
        ) and all(
            sum(self.for_all(hold) for hold in mine if hold.created_at >= moment)
            <= self.session.value(query, wallet, moment)
            for moment in {hold.created_at for hold in mine}
        )

    def agrees(self) -> None:
        """The books prove themselves, and say what must be: each hold is resolved once."""
        assert check(self.session) == []
        told = self.told
        states = {
            **dict.fromkeys(told.open, "open"),
            **dict.fromkeys(told.paid, "captured"),
            **dict.fromkeys(told.released, "released"),
        }
        assert len(states) == len(told.open) + len(told.paid) + len(told.released)
        assert dict(self.session.rows("SELECT id, state FROM holds")) == states
        query = "SELECT hold_id, token_id, at, -amount FROM entries WHERE kind = 'usage'"
        paid = [(hold, *payment) for hold, payment in told.paid.items()]
        assert sorted(self.session.rows(query)) == sorted(paid)
        for wallet in WALLETS:
            after, threshold = sum(self.balance(wallet)), told.thresholds.get(wallet, 0)
            told.notices += after < threshold <= told.balances[wallet]
            told.balances[wallet] = after
            assert self.balance(wallet)[1] == told.held(wallet)
            assert self.covered(wallet)
        assert self.session.value("SELECT count(*) FROM outbox") == told.notices
