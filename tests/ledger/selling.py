"""What the state machine of the ledger buys, and has refunded."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, rule

from tests.ledger.drawn import OFFERS, STATES, WALLET
from tests.ledger.steps import Steps
from xinghe.sales.orders import State
from xinghe.sales.packages import Offer


class Selling(RuleBasedStateMachine):
    """Orders for any wallet, paid in time or late; each may be refunded in parts."""

    bought = Bundle("bought")
    world: Steps
    ids: Iterator[int]

    @rule(target=bought, wallet=WALLET, offer=OFFERS, state=STATES)
    def purchase(self, wallet: int, offer: Offer, state: State) -> str:
        name = f"order {next(self.ids):04}"
        self.world.does(partial(self.world.purchase, name, wallet, offer, state))
        return name

    @rule(order=bought, amount=st.none() | st.integers(1, 300))
    def refund(self, order: str, amount: int | None) -> None:
        self.world.does(partial(self.world.refund, order, amount))
