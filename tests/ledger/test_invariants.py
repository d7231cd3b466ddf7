"""Any sequence of ledger operations, checked after each by what `xinghe ledger check` runs."""

from __future__ import annotations

import math
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from tests.kit.sqlite import in_memory
from tests.ledger.books import RATE
from xinghe.ledger import check, holds, lots
from xinghe.ledger.holds import Counts, Period
from xinghe.ledger.reaper import Reaping, settle_process
from xinghe.storage import Allowance

ACCOUNTS = st.sampled_from([1, 2])
OWNERS = st.sampled_from(["one", "two"])
DAY = 86_400_000_000
PERIODS: list[Period] = ["day", "month", "total"]
AMOUNTS = st.integers(0, 300)
COUNTS = st.builds(
    lambda prompt, completion, cached, search, searches: Counts(
        prompt, completion, min(prompt, cached), min(prompt, search), searches
    ),
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(0, 3),
    st.integers(0, 20),
    st.integers(0, 20),
)


def cost_of(usage: Counts) -> int:
    return RATE.cost(usage.prompt, usage.completion, usage.cached, usage.searches)


class Books(RuleBasedStateMachine):
    """Two accounts, two owners, and a clock that only the rules move.

    Each account has one token. `spent` is what each paid for and when, `thresholds` whose low
    balance is watched, `notices` how many notices that must have made.
    """

    opened = Bundle("opened")

    def __init__(self) -> None:
        super().__init__()
        # So that a few lots are more than a reservation sweeps.
        self.swept_on_the_way, holds.SWEPT_ON_THE_WAY = holds.SWEPT_ON_THE_WAY, 1
        self.sqlite, self.connection = in_memory()
        self.clock = 1
        self.ids = count()
        self.open: dict[str, holds.Hold] = {}
        self.noted: dict[str, Counts] = {}
        self.spent: list[tuple[int, int, int]] = []
        self.thresholds: dict[int, int] = {}
        self.balances = {1: 0, 2: 0}
        self.notices = 0
        for account in (1, 2):
            self.connection.run(
                "INSERT INTO accounts (appid, name, created_at) VALUES ($1, $1, 0)",
                f"account {account}",
            )
            self.connection.run(
                "INSERT INTO tokens (account_id, public_id, digest, name, scopes, created_at) "
                "VALUES ($1, $2, $3, 't', '[]', 0)",
                account,
                str(account),
                bytes(32),
            )

    def teardown(self) -> None:
        holds.SWEPT_ON_THE_WAY = self.swept_on_the_way
        self.sqlite.close()

    def balance(self, account: int) -> tuple[int, int]:
        query = "SELECT available, held FROM accounts WHERE id = $1"
        available, held = self.connection.rows(query, account)[0]
        return available, held

    def lots(self, account: int, *, expired: bool) -> int:
        query = (
            "SELECT coalesce(sum(remaining), 0) FROM lots WHERE account_id = $1 AND "
            "(expires_at IS NOT NULL AND expires_at <= $2) = $3"
        )
        found: int = self.connection.value(query, account, self.clock, expired)
        return found

    def pinned(self, account: int) -> int:
        """What the open holds were promised of lots that have expired since (the spared part)."""
        query = (
            "SELECT expires_at, sum(remaining) FROM lots WHERE account_id = $1 AND "
            "expires_at <= $2 GROUP BY expires_at ORDER BY expires_at"
        )
        mine = [hold for hold in self.open.values() if hold.account_id == account]
        most = 0
        for moment, remaining in self.connection.rows(query, account, self.clock):
            promised = sum(hold.amount for hold in mine if hold.created_at < moment)
            most = min(most + remaining, promised)
        return most

    def covered(self, account: int) -> bool:
        """Whether every open hold finds its amount in lots that were valid when it was made.

        Hall's condition: as many Tokens as the holds made at a moment or later need expire after
        that moment or never.
        """
        mine = [hold for hold in self.open.values() if hold.account_id == account]
        query = (
            "SELECT coalesce(sum(remaining), 0) FROM lots WHERE account_id = $1 AND "
            "(expires_at IS NULL OR expires_at > $2)"
        )
        return all(
            sum(hold.amount for hold in mine if hold.created_at >= moment)
            <= self.connection.value(query, account, moment)
            for moment in {hold.created_at for hold in mine}
        )

    @rule(
        account=ACCOUNTS,
        amount=st.integers(1, 500),
        lasting=st.none() | st.integers(1, 5),
    )
    def grant(self, account: int, amount: int, lasting: int | None) -> None:
        before = sum(self.balance(account))
        expires_at = None if lasting is None else self.clock + lasting
        lots.credit(
            self.connection,
            account,
            amount,
            kind="grant",
            at=self.clock,
            expires_at=expires_at,
        )
        assert sum(self.balance(account)) == before + amount

    @rule(account=ACCOUNTS, amount=st.integers(0, 400), per=st.sampled_from(PERIODS))
    def cap(self, account: int, amount: int, per: Period) -> None:
        holds.put_cap(self.connection, account, amount, per, self.clock)

    @rule(account=ACCOUNTS)
    def uncap(self, account: int) -> None:
        holds.remove_cap(self.connection, account)

    @rule(account=ACCOUNTS, threshold=st.integers(1, 400))
    def watch(self, account: int, threshold: int) -> None:
        self.connection.run(
            "INSERT INTO alerts (account_id, threshold) VALUES ($1, $2) "
            "ON CONFLICT (account_id) DO UPDATE SET threshold = $2",
            account,
            threshold,
        )
        self.thresholds[account] = threshold

    @rule(days=st.integers(1, 20))
    def days_pass(self, days: int) -> None:
        self.clock += days * DAY

    def committed(self, account: int, cap: holds.Cap) -> int:
        """What counts against a cap now, told without its row."""
        since = max(cap.since, holds.period_start(cap.per, self.clock))
        spent = sum(cost for who, at, cost in self.spent if who == account and at >= since)
        return spent + sum(h.amount for h in self.open.values() if h.account_id == account)

    @rule(steps=st.integers(1, 4))
    def time_passes(self, steps: int) -> None:
        self.clock += steps

    @rule(
        target=opened,
        account=ACCOUNTS,
        owner=OWNERS,
        amount=AMOUNTS,
        stream=st.booleans(),
        prompt=st.integers(0, 20),
    )
    def reserve(self, account: int, owner: str, amount: int, stream: bool, prompt: int) -> str:
        hold = holds.Hold(
            id=f"hold {next(self.ids)}",
            account_id=account,
            token_id=account,
            request_id="as-0123456789",
            model="m",
            amount=amount,
            owner=owner,
            stream=stream,
            prompt_tokens=prompt,
            rate=RATE,
            created_at=self.clock,
        )
        valid = self.lots(account, expired=False)
        cap = holds.cap_of(self.connection, account)
        committed = 0 if cap is None else self.committed(account, cap)
        while isinstance(refused := holds.reserve(self.connection, hold), holds.Unswept):
            assert check(self.connection) == []
        available, held = self.balance(account)
        assert self.lots(account, expired=False) == valid, "a valid lot was swept"
        if refused is None:
            assert cap is None or committed + amount <= cap.amount
            self.open[hold.id] = hold
        elif isinstance(refused, holds.Cap):
            assert cap is not None
            assert (refused.amount, refused.spent + refused.held) == (cap.amount, committed)
            assert committed + amount > cap.amount
        else:
            assert refused == available < amount
            expired = self.lots(account, expired=True)
            assert expired == self.pinned(account) <= held, "an expired lot could be spent"
        return hold.id

    @rule(
        account=ACCOUNTS,
        granted=st.integers(1, 300),
        amounts=st.lists(AMOUNTS, min_size=2, max_size=4),
        usage=COUNTS,
    )
    def overlap(self, account: int, granted: int, amounts: list[int], usage: Counts) -> None:
        """Holds across an expiry, each reserved before the one before it is resolved."""
        self.grant(account, granted, 1)
        self.the_books_agree()
        last = self.reserve(account, "one", amounts[0], True, 0)
        self.the_books_agree()
        for amount in amounts[1:]:
            self.clock += 1
            following = self.reserve(account, "one", amount, True, 0)
            self.the_books_agree()
            self.capture(last, usage)
            self.the_books_agree()
            self.sweep(account)
            self.the_books_agree()
            last = following
        self.capture(last, usage)

    @rule(hold=opened, usage=COUNTS)
    def checkpoint(self, hold: str, usage: Counts) -> None:
        holds.checkpoint(self.connection, [(hold, usage)])
        if hold in self.open:
            self.noted[hold] = usage

    @rule(hold=opened, usage=COUNTS)
    def capture(self, hold: str, usage: Counts) -> None:
        known = self.open.pop(hold, None)
        before = None if known is None else self.balance(known.account_id)
        resolved = holds.capture(self.connection, hold, usage, at=self.clock)
        assert resolved == (known is not None)
        if known is not None and before is not None:
            cost = min(cost_of(usage), known.amount)
            after = self.balance(known.account_id)
            assert after == (before[0] + known.amount - cost, before[1] - known.amount)
            self.spent.append((known.account_id, self.clock, cost))

    @rule(hold=consumes(opened))
    def release(self, hold: str) -> None:
        known = self.open.pop(hold, None)
        assert holds.release(self.connection, hold, at=self.clock) == (known is not None)

    @rule(owner=OWNERS, size=st.integers(1, 3))
    def reap(self, owner: str, size: int) -> None:
        left = {name: hold for name, hold in self.open.items() if hold.owner == owner}
        reaping, batches, whole = Reaping(), 0, False
        while not whole:
            allowance = Allowance(rows=size, seconds=math.inf)
            reaping, whole = settle_process(
                self.connection, allowance, reaping, boot_id=owner, own_boot_id="reaper"
            )
            batches += 1
            assert batches <= 1 + len(left) // size
            assert check(self.connection) == []
        assert reaping.resolved == len(left)
        for name, hold in left.items():
            del self.open[name]
            noted = self.noted.get(name) if hold.stream else None
            query = "SELECT state FROM holds WHERE id = $1"
            state = "released" if noted is None else "captured"
            assert self.connection.value(query, name) == state
            query = "SELECT -amount, search_tokens, searches FROM entries WHERE hold_id = $1"
            entry = self.connection.row(query, name)
            assert entry == (
                noted and (min(cost_of(noted), hold.amount), noted.search, noted.searches)
            )
        # The reaper's clock is the real one: the entries tell what it took.
        query = "SELECT token_id, at, -amount FROM entries WHERE kind = 'usage' ORDER BY id"
        self.spent = [(token, at, cost) for token, at, cost in self.connection.rows(query)]

    @rule(account=ACCOUNTS)
    def sweep(self, account: int) -> None:
        valid, expired = self.lots(account, expired=False), self.lots(account, expired=True)
        available, held = self.balance(account)
        pinned = self.pinned(account)
        swept, whole = lots.expire(self.connection, account, self.clock)
        assert whole
        assert swept == expired - pinned <= available
        assert self.lots(account, expired=False) == valid
        assert self.balance(account) == (available - swept, held)

    @rule(account=ACCOUNTS, size=st.integers(1, 3))
    def sweep_in_batches(self, account: int, size: int) -> None:
        """What is in the batches together is what one transaction would do."""
        valid, expired = self.lots(account, expired=False), self.lots(account, expired=True)
        pinned = self.pinned(account)
        swept, whole = 0, False
        while not whole:
            allowance = Allowance(rows=size, seconds=math.inf)
            part, whole = lots.expire(self.connection, account, self.clock, allowance)
            assert whole or part > 0
            swept += part
            assert check(self.connection) == []
        assert swept == expired - pinned
        assert self.lots(account, expired=False) == valid

    @rule(
        account=ACCOUNTS,
        amounts=st.lists(st.integers(1, 60), min_size=3, max_size=8),
        held=AMOUNTS,
        usage=COUNTS,
        capture_after=st.integers(0, 3),
        later=st.booleans(),
    )
    def many_lots(
        self,
        account: int,
        amounts: list[int],
        held: int,
        usage: Counts,
        capture_after: int,
        later: bool,
    ) -> None:
        """A hold over many lots that expire; it is captured somewhere between two batches."""
        for amount in amounts:
            self.grant(account, amount, 1)
        self.the_books_agree()
        if later:  # a reservation that sweeps only a part of what is due
            self.clock += 2
        hold = self.reserve(account, "one", held, True, 0)
        self.the_books_agree()
        self.clock += 2
        captured, whole = False, False
        while not whole:
            if capture_after == 0 and not captured:
                self.capture(hold, usage)
                captured = True
            capture_after -= 1
            allowance = Allowance(rows=1, seconds=math.inf)
            _, whole = lots.expire(self.connection, account, self.clock, allowance)
            self.the_books_agree()
        self.sweep(account)

    @invariant()
    def the_books_agree(self) -> None:
        assert check(self.connection) == []
        for account in (1, 2):
            after, threshold = sum(self.balance(account)), self.thresholds.get(account, 0)
            self.notices += after < threshold <= self.balances[account]
            self.balances[account] = after
            held = sum(hold.amount for hold in self.open.values() if hold.account_id == account)
            assert self.balance(account)[1] == held
            assert self.covered(account)
        assert self.connection.value("SELECT count(*) FROM outbox") == self.notices


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
