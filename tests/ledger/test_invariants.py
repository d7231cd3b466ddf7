"""Any sequence of ledger operations, in transactions that end in any way, checked after each."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from tests.ledger.drawn import (
    AMOUNTS,
    BEGUN,
    COUNTS,
    FATES,
    MEMBER,
    MODELS,
    PROCESS,
    STEPS,
    Begun,
)
from tests.ledger.machine import Ledger
from tests.ledger.stores import InMemory, OnServer
from xinghe.ledger import Window
from xinghe.ledger.holds import Counts


class Together(Ledger):
    """With what chance alone would seldom put together."""

    @rule(member=MEMBER, owner=PROCESS, begun=BEGUN, fate=FATES, steps=STEPS)
    def die_at_work(
        self, member: int, owner: str, begun: list[Begun], fate: str, steps: int
    ) -> None:
        """Streams and whole answers of a process, with checkpoints or without, resolved or not."""
        if fate == "fenced, with a budget":
            self.budget(member, 400, Window("total"))
        left = [self._begin(member, owner, each) for each in begun]
        if fate == "buried" and self.world.batch is None:
            self.bury(owner, 2, steps)
            return
        self.fence(owner, 2, steps)
        # Meanwhile others spend what is there.
        self.reserve(member, owner, self.world.balance(member)[0] * 9 // 10, True, 1)
        for hold in left:
            self.come_back(hold)

    def _begin(self, member: int, owner: str, begun: Begun) -> str:
        stream, checkpoints, places = begun
        hold = str(self.reserve(member, owner, 40, stream, 1))
        for usage, written in checkpoints:
            self.checkpoint(hold, usage, written)
        if places is not None:
            self.resolve(hold, Counts(2, 2, 0), True, places)
        return hold

    @rule(
        member=MEMBER,
        granted=st.integers(1, 300),
        amounts=st.lists(AMOUNTS, min_size=2, max_size=4),
        usage=COUNTS,
        for_one=st.integers(0, 60),
    )
    def overlap(
        self, member: int, granted: int, amounts: list[int], usage: Counts, for_one: int
    ) -> None:
        """Holds across an expiry, each reserved before the one before it is resolved.

        What is bound to their model may pay for a part of them.
        """
        self.grant(member, granted, 1)
        if for_one:
            self.grant(member, for_one, None, ["m"])
        last = self.reserve(member, "one", amounts[0], True, 0)
        for amount in amounts[1:]:
            self.world.clock += 1
            following = self.reserve(member, "one", amount, True, 0)
            self.resolve(last, usage, True, ("database",))
            self.sweep(member, None, 1)
            last = following
        self.resolve(last, usage, True, ("database",))

    @rule(
        member=MEMBER,
        amounts=st.lists(st.integers(1, 60), min_size=3, max_size=8),
        held=AMOUNTS,
        usage=COUNTS,
        steps_before=st.integers(0, 3),
        later=st.booleans(),
        models=MODELS,
    )
    def many_lots(
        self,
        member: int,
        amounts: list[int],
        held: int,
        usage: Counts,
        steps_before: int,
        later: bool,
        models: list[str] | None = None,
    ) -> None:
        """A hold over many lots that expire; it is captured somewhere between two batches."""
        for amount in amounts:
            self.grant(member, amount, 1, models)
        if later:  # a reservation that sweeps only a part of what is due
            self.world.clock += 2
        hold = self.reserve(member, "one", held, True, 0)
        self.world.clock += 2
        self.sweep(member, 1, steps_before)
        self.resolve(hold, usage, True, ("database",))
        self.sweep(member, 1, 9)


EXAMPLES = pytest.mark.parametrize("examples", [10, pytest.param(150, marks=pytest.mark.slow)])


@EXAMPLES
@pytest.mark.timeout(900)
def test_any_sequence(database_url: str, examples: int) -> None:
    # In memory it is quick.
    store, more = (partial(OnServer, database_url), 1) if database_url else (InMemory, 4)
    run_state_machine_as_test(
        type("Machine", (Together,), {"make": [store]}),
        settings=settings(max_examples=examples * more, stateful_step_count=40),
    )
