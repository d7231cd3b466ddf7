"""Orders that the state machine of the ledger has found, and that were wrong."""

from __future__ import annotations

from tests.ledger.stores import InMemory
from tests.ledger.test_invariants import Together
from xinghe.ledger.holds import Counts


def test_a_late_charge_takes_nothing_that_open_holds_were_promised() -> None:
    """Expired lots that were not swept yet are no part of what is available to it."""
    machine = type("Machine", (Together,), {"make": [InMemory]})()
    none = Counts(0, 0, 0)
    try:
        machine.have_something(amount=40)
        machine.reserve(member=2, amount=2, owner="two", prompt=0, stream=False)
        machine.many_lots(
            member=2, amounts=[1, 1, 1], held=0, later=False, steps_before=0, usage=none
        )
        begun = [(False, [], ("journal",)), (False, [(none, ("database",))] * 2, None)]
        machine.die_at_work(member=2, begun=begun, fate="fenced", owner="two", steps=1)
    finally:
        machine.teardown()
