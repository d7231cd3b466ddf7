"""What the state machine of the ledger buys, has refunded, and redeems."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, rule

from tests.ledger.drawn import DAY, MODELS, OFFERS, STATES, WALLET
from tests.ledger.steps import Steps
from tests.ledger.world import Code
from xinghe.sales import code_text
from xinghe.sales.orders import State
from xinghe.sales.packages import Offer


class Selling(RuleBasedStateMachine):
    """Orders for any wallet, paid in time or late; each may be refunded in parts.

    Codes may be redeemed by several, again and again, and after they have expired.
    """

    bought = Bundle("bought")
    made = Bundle("made")
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

    @rule(
        target=made,
        amount=st.integers(1, 500),
        lasting=st.integers(1, 5) | st.just(30 * DAY),
        days=st.sampled_from([None, 1, 20]),
        models=MODELS,
    )
    def make_code(self, amount: int, lasting: int, days: int | None, models: list[str]) -> str:
        name = f"code {next(self.ids):04}"
        text, expires_at = code_text.make(1)[0], self.world.clock + lasting
        of = None if models is None else tuple(models)
        code = Code(text, amount, expires_at, days, of)
        self.world.does(partial(self.world.make_code, name, code))
        return name

    @rule(code=made, wallet=WALLET, raced=st.booleans())
    def redeem(self, code: str, wallet: int, raced: bool) -> None:
        """Who is told nothing tries again."""
        self.world.does(partial(self.world.redeem, code, wallet, raced=raced), durable=True)
