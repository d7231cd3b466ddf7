"""Any sequence of requests, against what the limits promise of every window of time."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.limits.asking import asks
from tests.limits.clock import Clock
from tests.limits.stores import Settling, Store
from xinghe.limits import Admission, Ask, RateLimited
from xinghe.limits.quota import Key

MINUTE = 60 * 10**9
CLASS = asks(6, 130, owner="the class", model="")
LIMITS = {
    "Li": asks(5, 100, 2, owner="Li") + CLASS,
    "Wu": asks(5, 100, owner="Wu") + asks(3, owner="Wu's token", model="") + CLASS,
    "anybody": asks(0, 100, owner="the model"),
}

EVERY = {ask.key: ask for limits in LIMITS.values() for ask in limits}
QUOTAS = {key: ask.quota for key, ask in EVERY.items()}
BY_TOKENS = [ask for ask in EVERY.values() if ask.quota.returnable]


class Let:
    """An admitted request, and what it is counted as in each of its limits."""

    def __init__(
        self, at: int, tokens: int, limits: list[Ask], admission: Admission | Settling
    ) -> None:
        self.at = at
        self.charges = {ask.key: ask.quota.amount(tokens) for ask in limits}
        self.admission = admission


class Traffic(RuleBasedStateMachine):
    """Two members of a class, on one model. A request counts as its estimate until settled."""

    running = Bundle("running")

    def __init__(self, store: Callable[[Clock], Store]) -> None:
        super().__init__()
        self.clock = Clock()
        self.limiter = store(self.clock)
        self.admitted: list[Let] = []

    def let(self, who: str, tokens: int) -> Let:
        limits = LIMITS[who] + LIMITS["anybody"]
        let = Let(self.clock.now, tokens, limits, self.limiter.admit(limits, tokens))
        self.admitted.append(let)
        told = dict(let.admission.headers)
        left = self.tokens_left()
        tightest = min(left[key] for key in let.charges if key in left)
        assert int(told["X-Ratelimit-Remaining-Tokens"]) == tightest
        return let

    @rule(microseconds=st.integers(0, 90 * 10**6) | st.integers(0, 10**6))
    def time_passes(self, microseconds: int) -> None:
        self.clock.now += microseconds * 1000

    @rule(target=running, who=st.sampled_from(["Li", "Wu"]), tokens=st.integers(0, 150))
    def request(self, who: str, tokens: int) -> Let:
        before = self.tokens_left()
        try:
            return self.let(who, tokens)
        except RateLimited as caught:
            refusal = caught
        with pytest.raises(RateLimited) as again:
            self.let(who, tokens)
        assert again.value.headers == refusal.headers
        assert again.value.retry_after == refusal.retry_after > 0
        assert again.value.scope == refusal.scope
        assert self.tokens_left() == before, "a refusal took something"
        self.clock.now += round(refusal.retry_after * 1000 - 1) * 1_000_000
        with pytest.raises(RateLimited):
            self.let(who, tokens)
        self.clock.pass_seconds(0.001)
        return self.let(who, tokens)  # raises if the wait was not true

    @rule(let=consumes(running), used=st.integers(0, 200))
    def settle(self, let: Let, used: int) -> None:
        before = self.tokens_left()
        let.admission.settle(used)
        let.admission.settle(0)
        for key, left in self.tokens_left().items():
            surplus = let.charges.get(key, used) - used
            if surplus < 0:
                assert left == max(0, before[key] + surplus), "a debt"
                continue
            assert before[key] <= left <= min(QUOTAS[key].limit, before[key] + surplus)
            if key in let.charges:
                let.charges[key] = used

    def tokens_left(self) -> dict[Key, int]:
        """Asked by a request for none; also what a debt refuses says it."""
        left = {}
        for ask in BY_TOKENS:
            try:
                headers = self.limiter.admit([ask]).headers
            except RateLimited as refusal:
                headers = refusal.headers
            left[ask.key] = int(dict(headers)["X-Ratelimit-Remaining-Tokens"])
        return left

    @invariant()
    def every_window_keeps_the_limits(self) -> None:
        """Those up to the last request: of earlier ones the charges have only become less."""
        for key, quota in QUOTAS.items():
            lets = [each for each in self.admitted if key in each.charges]
            period = MINUTE if key[0] != "qps" else 10**9
            charge = 0
            for let in reversed(lets):
                charge += let.charges[key]
                window = lets[-1].at - let.at
                assert charge <= quota.limit + Fraction(quota.limit * window, period)


def traffic(store: Callable[[Clock], Store], examples: int) -> None:
    class Here(Traffic):
        def __init__(self) -> None:
            super().__init__(store)

    run_state_machine_as_test(
        Here,
        settings=settings(max_examples=examples, stateful_step_count=50, deadline=None),
    )


@pytest.mark.parametrize("store", ["here"], indirect=True)
def test_traffic(store: Callable[[Clock], Store]) -> None:
    traffic(store, 70)


@pytest.mark.parametrize("store", ["on Valkey"], indirect=True)
def test_traffic_on_valkey(store: Callable[[Clock], Store]) -> None:
    """Each of its steps asks the server many times."""
    traffic(store, 3)


@pytest.mark.slow
@pytest.mark.parametrize("store", ["on Valkey"], indirect=True)
def test_much_traffic_on_valkey(store: Callable[[Clock], Store]) -> None:
    traffic(store, 70)
