"""What each operation of the ledger must do: it is done, and the books told beside it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import msgspec

from tests.ledger.books import RATE
from tests.ledger.world import Code, World
from xinghe.accounts import AccountError, budget_tables
from xinghe.ledger import Budget, BudgetReached, Window, bound, expiry, holds, lots
from xinghe.ledger.holds import Counts, Hold
from xinghe.ledger.journal import Record
from xinghe.ledger.reaper import Reaping, settle_process
from xinghe.ledger.settlements import settle
from xinghe.sales import code_text, codes, orders, packages, refunds
from xinghe.sales.orders import State
from xinghe.sales.packages import Offer
from xinghe.storage import Allowance, Connection

REAPER = "reaper"

T = TypeVar("T")


def cost_of(usage: Counts, most: int) -> int:
    return min(RATE.cost(usage.prompt, usage.completion, usage.cached, usage.searches), most)


class Behind:
    """A connection that has seen no code redeemed: others commit between two statements."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def row(self, sql: str, *parameters: object) -> tuple[Any, ...] | None:
        found = self._connection.row(sql, *parameters)
        return (*found[:2], None) if found is not None and "FROM codes" in sql else found


class Steps(World):
    """`at` is when an operation was asked for; it may be done again, later."""

    def grant(
        self,
        wallet: int,
        amount: int,
        lasting: int | None,
        at: int,
        models: list[str] | None = None,
    ) -> None:
        before = sum(self.balance(wallet))
        until = None if lasting is None else at + lasting
        lots.credit(
            self.session, wallet, amount, kind="grant", at=at, expires_at=until, models=models
        )
        assert sum(self.balance(wallet)) == before + amount

    def purchase(self, name: str, wallet: int, offer: Offer, state: State) -> None:
        """An order that is paid, maybe when it waited for that no more; a free one is at once."""
        before = sum(self.balance(wallet))
        package = packages.create(self.session, "test", msgspec.structs.replace(offer, name=name))
        order = orders.place(
            self.session, "test", package.id, wallet, member_id=None, provider="manual", days=1
        )
        assert (order.state == "paid") == (offer.price == 0)
        if state in {"failed", "cancelled"} and offer.price:
            orders.close(self.session, "test", order.id, state)
        reference = order.reference or name
        assert orders.pay(self.session, "test", order.id, reference).state == "paid"
        assert orders.pay(self.session, "test", order.id, reference).state == "paid"
        self.told.orders[name] = order.id
        assert sum(self.balance(wallet)) == before + offer.amount

    def refund(self, name: str, amount: int | None) -> None:
        """Whatever is not spent, held or expired; None is all of it."""
        if name not in self.told.orders:  # it was lost with its batch
            return
        order = orders.order(self.session, self.told.orders[name])
        wallet, most = order.wallet_id, self.refundable(order)
        before, expired = sum(self.balance(wallet)), self.lots(wallet, expired=True)
        number = len(refunds.of_order(self.session, order.id))
        assert refunds.refundable(self.session, order, self.clock) == most
        refund = partial(
            refunds.refund,
            self.session,
            "test",
            order.id,
            amount,
            reason="unused",
            reference=f"{number}",
            created_by=None,
        )
        try:
            made = self.swept(refund)
        except AccountError:
            assert most < (amount or 1)
            return
        swept = expired - self.lots(wallet, expired=True)
        assert made.amount == (amount or most) <= most
        assert sum(self.balance(wallet)) == before - made.amount - swept
        back = refunds.of_order(self.session, order.id)
        total = sum(each.amount for each in back)
        assert sum(each.price for each in back) == order.price * total // order.amount

    def make_code(self, name: str, code: Code) -> None:
        batch = self.session.value(
            "INSERT INTO code_batches (name, amount, valid_days, models, count, expires_at, "
            "created_at) VALUES ($1, $2, $3, $4, 1, $5, $6) RETURNING id",
            name,
            code.amount,
            code.valid_days,
            bound.written(code.models),
            code.expires_at,
            self.clock,
        )
        self.session.run(
            "INSERT INTO codes (digest, batch_id, number) VALUES ($1, $2, 1)",
            code_text.digest(code.text),
            batch,
        )
        self.told.codes[name] = code

    def redeem(self, name: str, wallet: int, *, raced: bool) -> None:
        """Once, before it expires; `raced`: who redeems it sees nothing of who did before."""
        code, before = self.told.codes.get(name), sum(self.balance(wallet))
        if code is None:  # it was lost with its batch
            return
        over = name in self.told.redeemed or code.expires_at <= self.clock
        connection: Connection = Behind(self.session) if raced else self.session
        try:
            with self.session.savepoint():
                codes.redeem(connection, "test", code.text.lower(), wallet, member_id=None)
        except AccountError:
            assert over
            assert sum(self.balance(wallet)) == before
            return
        assert not over
        self.told.redeemed.add(name)
        assert sum(self.balance(wallet)) == before + code.amount

    def swept(self, change: Callable[[], T]) -> T:
        """As `expiry.swept` does it, in the same transaction."""
        try:
            with self.session.savepoint():
                return change()
        except expiry.ManyExpired as many:
            expiry.expire(self.session, many.wallet_id, many.at)
            return change()

    def budget(self, member: int, amount: int | None, window: Window) -> None:
        """End the budget of a member's token, and give it another."""
        running = self.told.budgets.pop(member, None)
        if running is not None:
            budget_tables.end(self.session, "test", running.id)
        if amount is not None:
            new = budget_tables.NewBudget("tokens", amount, window, token_id=member)
            made = budget_tables.create(self.session, "test", new)
            budget = Budget(made, "tokens", window, amount, "token")
            self.told.begin_budget(member, budget, self.clock)

    def watch(self, wallet: int, threshold: int) -> None:
        self.session.run(
            "INSERT INTO alerts (wallet_id, threshold) VALUES ($1, $2) "
            "ON CONFLICT (wallet_id) DO UPDATE SET threshold = $2",
            wallet,
            threshold,
        )
        self.told.thresholds[wallet] = threshold

    def reserve(self, hold: Hold, unswept: list[bool]) -> None:
        """`unswept` is told whether it is to be tried again."""
        at, on_time = hold.created_at, self.clock == hold.created_at
        budget = self.told.budgets.get(hold.member_id)
        hold = msgspec.structs.replace(hold, budgets=(budget,) if budget else ())
        used = self.told.used(budget, at) if budget else 0
        valid = {wallet: self.lots(wallet, expired=False) for wallet in hold.wallets}
        outcome = holds.reserve(self.session, hold)
        unswept.append(isinstance(outcome, holds.Unswept))
        for wallet in hold.wallets if on_time else ():
            assert self.lots(wallet, expired=False) == valid[wallet], "a valid lot was swept"
        match outcome:
            case holds.Reserved(wallet, places):
                assert budget is None or used + hold.amount <= budget.amount
                assert places == ((budget.id, budget.window.part(at)),) if budget else not places
                earlier = hold.wallets[: hold.wallets.index(wallet)]
                assert all(self.left(each, hold.model, at) < hold.amount for each in earlier)
                self.told.open[hold.id] = hold
                self.told.wallets[hold.id], self.told.places[hold.id] = wallet, places
            case BudgetReached():
                assert (outcome.budget, outcome.used) == (budget, used)
                assert used + hold.amount > outcome.budget.amount
            case holds.Uncovered(available):
                left = [self.left(wallet, hold.model, at) for wallet in hold.wallets]
                assert available == max(left) < hold.amount
                for wallet in hold.wallets if on_time else ():
                    expired = self.lots(wallet, expired=True)
                    pinned, held = self.pinned(wallet), self.balance(wallet)[1]
                    assert expired == pinned <= held, "an expired lot could be spent"

    def checkpoint(self, hold: str, usage: Counts) -> None:
        holds.checkpoint(self.session, [(hold, usage)])
        if hold in self.told.open:
            self.told.noted[hold] = usage

    def settle(self, record: Record, owner: str | None = None) -> None:
        """As `record` says; `owner` is given where it stands in a journal."""
        told, hold = self.told, record.hold_id
        if record.kind == "checkpoint":
            noted = told.noted.get(hold, Counts(0, 0, 0))
            newer = hold in told.open and noted.completion <= record.usage.completion
            assert settle(self.session, record, owner) == newer
            if newer:
                told.noted[hold] = record.usage
            return
        late = owner is not None and hold in told.taken and record.kind == "capture"
        known = told.open.pop(hold, None) or (told.taken.pop(hold) if late else None)
        again = record.kind == "capture" and told.paid.get(hold, (0, -1, 0))[1] == record.at
        before, left, bound = (0, 0), 0, 0
        if known is not None:
            wallet = told.wallets[hold]
            available, held = self.balance(wallet)
            swept = self.lots(wallet, expired=True) - self.pinned(wallet) if late else 0
            before = available - swept, held
            left = self.left(wallet, known.model, self.clock) - self.due(wallet)
            since = self.clock if late else known.created_at
            bound = self.bound(wallet, known.model, known.created_at, of=hold)
            still = self.bound(wallet, known.model, since, of=hold)
        assert settle(self.session, record, owner) == (known is not None or again)
        if known is None:
            return
        most = min(known.amount, left) if late else known.amount
        cost = cost_of(record.usage, most) if record.kind == "capture" else 0
        if late:
            told.released.discard(hold)
            assert self.balance(wallet) == (before[0] - cost, before[1])
        else:
            after = before[0] + known.amount - cost, before[1] - known.amount
            assert self.balance(wallet) == after
        taken = bound - self.bound(wallet, known.model, known.created_at)
        assert min(cost, still) <= taken <= min(cost, bound), "what is bound pays first"
        if record.kind == "capture":
            told.paid[hold] = known.token_id, record.at, cost
        else:
            told.released.add(hold)

    def reap(
        self, owner: str, size: int, reaping: Reaping, progress: list[tuple[Reaping, bool]]
    ) -> None:
        """One transaction of it."""
        told, page = self.told, min(size, 2)
        left = [hold for hold in told.open.values() if hold.owner == owner]
        due = sorted(hold.id for hold in left if hold.id > reaping.after)[:page]
        allowance = Allowance(rows=size, seconds=math.inf)
        done, whole = settle_process(
            self.session, allowance, reaping, boot_id=owner, own_boot_id=REAPER
        )
        progress.append((done, whole))
        assert done.resolved == reaping.resolved + len(due)
        for name in due:
            hold = told.open.pop(name)
            noted = told.noted.get(name) if hold.stream else None
            if noted is None:
                told.released.add(name)
                told.taken[name] = hold
            else:
                told.paid[name] = hold.token_id, self.clock, cost_of(noted, hold.amount)

    def sweep(self, wallet: int, size: int | None, at: int, progress: list[bool]) -> None:
        """One transaction of it."""
        valid, expired = self.lots(wallet, expired=False), self.lots(wallet, expired=True)
        available, held = self.balance(wallet)
        pinned = self.pinned(wallet)
        allowance = None if size is None else Allowance(rows=size, seconds=math.inf)
        swept, whole = expiry.expire(self.session, wallet, at, allowance)
        progress.append(whole)
        assert self.balance(wallet) == (available - swept, held)
        if self.clock == at:
            assert whole or swept > 0
            assert swept <= expired - pinned <= available
            assert not whole or swept == expired - pinned
            assert self.lots(wallet, expired=False) == valid
