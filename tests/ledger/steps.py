"""What each operation of the ledger must do: it is done, and the books told beside it."""

from __future__ import annotations

import math

from tests.ledger.books import RATE
from tests.ledger.world import World
from xinghe.ledger import holds, lots
from xinghe.ledger.holds import Counts, Hold
from xinghe.ledger.journal import Record
from xinghe.ledger.reaper import Reaping, settle_process
from xinghe.ledger.settlements import settle
from xinghe.storage import Allowance

REAPER = "reaper"


def cost_of(usage: Counts, most: int) -> int:
    return min(RATE.cost(usage.prompt, usage.completion, usage.cached, usage.searches), most)


class Steps(World):
    """`at` is when an operation was asked for; it may be done again, later."""

    def grant(self, account: int, amount: int, lasting: int | None, at: int) -> None:
        before = sum(self.balance(account))
        expires_at = None if lasting is None else at + lasting
        lots.credit(self.session, account, amount, kind="grant", at=at, expires_at=expires_at)
        assert sum(self.balance(account)) == before + amount

    def watch(self, account: int, threshold: int) -> None:
        self.session.run(
            "INSERT INTO alerts (account_id, threshold) VALUES ($1, $2) "
            "ON CONFLICT (account_id) DO UPDATE SET threshold = $2",
            account,
            threshold,
        )
        self.told.thresholds[account] = threshold

    def reserve(self, hold: Hold, unswept: list[bool]) -> None:
        """`unswept` is told whether it is to be tried again."""
        account, on_time = hold.account_id, self.clock == hold.created_at
        valid = self.lots(account, expired=False)
        cap = holds.cap_of(self.session, account)
        committed = 0 if cap is None else self.told.committed(account, cap, hold.created_at)
        refused = holds.reserve(self.session, hold)
        unswept.append(isinstance(refused, holds.Unswept))
        available, held = self.balance(account)
        assert not on_time or self.lots(account, expired=False) == valid, "a valid lot was swept"
        if isinstance(refused, holds.Unswept):
            return
        if refused is None:
            assert cap is None or committed + hold.amount <= cap.amount
            self.told.open[hold.id] = hold
        elif isinstance(refused, holds.Cap):
            assert cap is not None
            assert (refused.amount, refused.spent + refused.held) == (cap.amount, committed)
            assert committed + hold.amount > cap.amount
        else:
            assert refused == available < hold.amount
            if on_time:
                expired = self.lots(account, expired=True)
                assert expired == self.pinned(account) <= held, "an expired lot could be spent"

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
        before = (0, 0)
        if known is not None:
            available, held = self.balance(known.account_id)
            before = available - (self.due(known.account_id) if late else 0), held
        assert settle(self.session, record, owner) == (known is not None or again)
        if known is None:
            return
        most = min(known.amount, before[0]) if late else known.amount
        cost = cost_of(record.usage, most) if record.kind == "capture" else 0
        if late:
            told.released.discard(hold)
            assert self.balance(known.account_id) == (before[0] - cost, before[1])
        else:
            after = before[0] + known.amount - cost, before[1] - known.amount
            assert self.balance(known.account_id) == after
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

    def sweep(self, account: int, size: int | None, at: int, progress: list[bool]) -> None:
        """One transaction of it."""
        valid, expired = self.lots(account, expired=False), self.lots(account, expired=True)
        available, held = self.balance(account)
        pinned = self.pinned(account)
        allowance = None if size is None else Allowance(rows=size, seconds=math.inf)
        swept, whole = lots.expire(self.session, account, at, allowance)
        progress.append(whole)
        assert self.balance(account) == (available - swept, held)
        if self.clock == at:
            assert whole or swept > 0
            assert swept <= expired - pinned <= available
            assert not whole or swept == expired - pinned
            assert self.lots(account, expired=False) == valid
