"""The state machine of the ledger: what happens to it, one event after the other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    initialize,
    precondition,
    rule,
)

from tests.ledger.books import RATE
from tests.ledger.drawn import (
    AMOUNTS,
    COUNTS,
    DAY,
    MEMBER,
    MODEL,
    MODELS,
    PAYS,
    PLACES,
    PROCESS,
    STEPS,
    WALLET,
    WINDOWS,
)
from tests.ledger.selling import Selling
from tests.ledger.steps import Steps, cost_of
from tests.ledger.stores import Store
from tests.ledger.world import SHARED, WALLETS
from xinghe.accounts import budget_tables
from xinghe.ledger import Window, bound, expiry, lots, reaper, settlements
from xinghe.ledger.holds import Counts, Hold
from xinghe.ledger.journal import Record
from xinghe.ledger.reaper import Reaping
from xinghe.sales import codes, orders, packages, refunds


class Ledger(Selling):
    """Two members, and two processes that reserve for them, die and are settled for.

    Each process has a journal. One that is dead is buried: what stands there is replayed, and what
    it has left open is settled. One that is taken for dead by somebody who cannot read its journal
    is only settled for, and may come back. `world.does` says in which transaction.
    """

    make: ClassVar[list[Callable[[], Store]]]
    """The database of the run."""
    opened = Bundle("opened")

    def __init__(self) -> None:
        super().__init__()
        self.world = world = Steps(self.make[0]())
        self.patch = pytest.MonkeyPatch()
        # So that a few are more than what is done at once.
        self.patch.setattr(expiry, "ON_THE_WAY", 1)
        self.patch.setattr(lots, "PAGE", 3)
        self.patch.setattr(expiry, "PAGE", 3)
        self.patch.setattr(bound, "PAGE", 2)
        self.patch.setattr(bound, "FIRST_PAGE", 1)
        self.patch.setattr(reaper, "PAGE", 2)
        for each in reaper, settlements, budget_tables, codes, orders, packages, refunds:
            self.patch.setattr(each, "now", lambda: world.clock)
        self.ids = count()
        self.running: dict[str, Hold] = {}
        """What processes have reserved, or tried to, and are not dead since."""
        self.settled: dict[str, Record] = {}
        """How each of these was resolved by its process: that is decided once."""
        self.journal: dict[str, Record] = {}

    def teardown(self) -> None:
        self.world.store.close()
        self.patch.undo()

    @initialize(amount=st.integers(1, 1000))
    def have_something(self, amount: int) -> None:
        for wallet in WALLETS:
            self.grant(wallet, amount, None)

    # How a batch of operations ends.

    @precondition(lambda self: self.world.batch is None)
    @rule()
    def begin(self) -> None:
        self.world.begins()

    @precondition(lambda self: self.world.batch is not None)
    @rule()
    def commit(self) -> None:
        self.world.commits()

    @precondition(lambda self: self.world.batch)
    @rule()
    def lose_the_batch(self) -> None:
        self.world.loses()

    @precondition(lambda self: self.world.batch)
    @rule()
    def leave_a_failed_one_out(self) -> None:
        self.world.leaves_out()

    @precondition(lambda self: self.world.batch)
    @rule(committed=st.booleans())
    def hear_nothing_of_the_commit(self, *, committed: bool) -> None:
        for hold in sorted(self.world.hears_nothing(committed=committed)):
            self.resolve(hold, Counts(0, 0, 0), False, ("database",))

    # Grants, caps, notices, time.

    @rule(
        wallet=WALLET,
        amount=st.integers(1, 500),
        lasting=st.none() | st.integers(1, 5),
        models=MODELS,
    )
    def grant(
        self, wallet: int, amount: int, lasting: int | None, models: list[str] | None = None
    ) -> None:
        grant = partial(self.world.grant, wallet, amount, lasting, self.world.clock, models)
        self.world.does(grant)

    @rule(member=MEMBER, amount=st.none() | st.integers(0, 400), window=WINDOWS)
    def budget(self, member: int, amount: int | None, window: Window) -> None:
        self.world.does(partial(self.world.budget, member, amount, window))

    @rule(wallet=WALLET, threshold=st.integers(1, 400))
    def watch(self, wallet: int, threshold: int) -> None:
        self.world.does(partial(self.world.watch, wallet, threshold))

    @rule(steps=st.integers(1, 4) | st.sampled_from([DAY, 20 * DAY]))
    def time_passes(self, steps: int) -> None:
        self.world.clock += steps

    # The life of a hold.

    @rule(
        target=opened,
        member=MEMBER,
        owner=PROCESS,
        amount=AMOUNTS,
        stream=st.booleans(),
        prompt=st.integers(0, 20),
        pays=PAYS,
        model=MODEL,
    )
    def reserve(
        self,
        member: int,
        owner: str,
        amount: int,
        stream: bool,
        prompt: int,
        pays: str = "own",
        model: str = "m",
    ) -> str:
        wallets = {"own": member, "shared": SHARED}
        hold = Hold(
            id=f"hold {next(self.ids):04}",
            member_id=member,
            token_id=member,
            wallets=tuple(wallets[each] for each in pays.split(", ")),
            budgets=(),
            request_id="as-0123456789",
            model=model,
            amount=amount,
            owner=owner,
            stream=stream,
            prompt_tokens=prompt,
            rate=RATE,
            created_at=self.world.clock,
        )
        self.running[hold.id] = hold
        unswept = [True]
        while unswept.pop():
            self.world.does(partial(self.world.reserve, hold, unswept))
        return hold.id

    @rule(hold=opened, usage=COUNTS, places=PLACES)
    def checkpoint(self, hold: str, usage: Counts, places: tuple[str, ...]) -> None:
        running = self.running.get(hold)
        if running is None or hold in self.settled:
            return
        if "journal" in places:
            member, at = running.member_id, self.world.clock
            self.journal[hold] = Record("checkpoint", hold, member, at, usage)
        if "database" in places:
            self.world.does(partial(self.world.checkpoint, hold, usage), durable=True)

    @rule(hold=opened, usage=COUNTS, finished=st.booleans(), places=PLACES)
    def resolve(self, hold: str, usage: Counts, finished: bool, places: tuple[str, ...]) -> None:
        """Capture or release, at first or once more: the same again then."""
        running = self.running.get(hold)
        if running is None:
            return
        record = Record(
            "capture" if finished else "release", hold, running.member_id, self.world.clock, usage
        )
        record = self.settled.setdefault(hold, record)
        if "journal" in places:
            self.journal[hold] = record
        if "database" in places:
            self.world.does(partial(self.world.settle, record), durable=True)

    @rule(hold=opened)
    def come_back(self, hold: str) -> None:
        """Its process was taken for dead, and charges what it has in its journal."""
        record = self.journal.get(hold)
        if record is not None and record == self.settled.get(hold):
            owner = self.running[hold].owner
            self.world.does(partial(self.world.settle, record, owner), durable=True)

    # What regular tasks do, in several transactions: they may die between any two.

    @rule(owner=PROCESS, size=st.integers(1, 3), steps=STEPS)
    def fence(self, owner: str, size: int, steps: int) -> None:
        """Somebody who cannot read its journal takes a process for dead."""
        self._reap(owner, size, steps)

    def _reap(self, owner: str, size: int, steps: int) -> bool:
        """Settle for a process in at most `steps` transactions; returns whether that was all."""
        self.world.clock += 1  # no two settle at the same microsecond
        progress = [(Reaping(), False)]
        while steps and not progress[-1][1]:
            self.world.does(partial(self.world.reap, owner, size, progress[-1][0], progress))
            steps -= 1
        whole = progress[-1][1]
        if whole:
            assert not [hold for hold in self.world.told.open.values() if hold.owner == owner]
        self.world.clock += 1
        return whole

    @precondition(lambda self: self.world.batch is None)
    @rule(owner=PROCESS, size=st.integers(1, 3), steps=STEPS)
    def bury(self, owner: str, size: int, steps: int) -> None:
        """The process is dead: first its journal, then what it has left open.

        Whoever does it may die as well, and the next begins anew.
        """
        mine = {name: hold for name, hold in self.running.items() if hold.owner == owner}
        records = [self.journal[name] for name in mine if name in self.journal]
        taken = self.world.told.taken.keys() | self.world.told.paid.keys()
        for record in sorted(records, key=lambda record: record.at)[:steps]:
            self.world.does(partial(self.world.settle, record, owner))
        if steps <= len(records) or not self._reap(owner, size, steps - len(records)):
            return
        for name, hold in mine.items():
            record = self.journal.pop(name, Record("release", name, 0, 0))
            del self.running[name]
            known = name in self.world.told.known()
            if known and record.kind == "capture" and name not in taken:
                # The answer has left on account of this record.
                cost = cost_of(record.usage, hold.amount)
                assert self.world.told.paid[name] == (hold.token_id, record.at, cost)

    @rule(wallet=WALLET, size=st.none() | st.integers(1, 3), steps=STEPS)
    def sweep(self, wallet: int, size: int | None, steps: int) -> None:
        progress = [False]
        while steps and not progress.pop():
            self.world.does(partial(self.world.sweep, wallet, size, self.world.clock, progress))
            steps -= 1
